# docker build -t docsredirect .
# docker run --read-only -p 8080:8080 -v docsredirect:/data -v docsredirect-state:/state docsredirect
# What is stored lives under /data, an edge's last good table under /state; the image's own files are never written.

FROM python:3.11-slim-bookworm AS builder
WORKDIR /src
# The development lock names the build backend with its hash. Nothing of /tools reaches the final image.
COPY requirements.lock requirements-dev.lock ./
RUN python -m venv /tools \
 && /tools/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-dev.lock
RUN python -m venv /app \
 && /app/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY docsredirect docsredirect
RUN /tools/bin/hatchling build -t wheel -d /wheel \
 && /app/bin/pip install --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.11-slim-bookworm
COPY --from=builder /app /app
# A new volume takes the owner of the folder that it is mounted over.
RUN mkdir /data /state && chown 10001:10001 /data /state
ENV PATH="/app/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DOCSREDIRECT_STORE=file:///data \
    DOCSREDIRECT_STATE_DIR=/state
# A number, so that an orchestrator can check that it is not root.
USER 10001:10001
VOLUME ["/data", "/state"]
# Admin and ops listen on loopback until DOCSREDIRECT_ADMIN and DOCSREDIRECT_OPS say otherwise.
EXPOSE 8080 8081 9090
STOPSIGNAL SIGTERM
# Liveness, not readiness: an edge that waits for its store must not be restarted for it. Ops is there in every mode.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 CMD ["python", "-c", "\
import http.client, os, sys; \
host, _, port = os.environ.get('DOCSREDIRECT_OPS', '127.0.0.1:9090').rpartition(':'); \
host = {'0.0.0.0': '127.0.0.1', '[::]': '::1'}.get(host, host.strip('[]')); \
ops = http.client.HTTPConnection(host, int(port), timeout=2); \
ops.request('GET', '/-/health/live'); \
sys.exit(ops.getresponse().status != 200)"]
ENTRYPOINT ["docsredirect"]
CMD ["serve"]
