# Varnish with the module xkey, as Debian keeps them: the versions that the tests run.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends varnish varnish-modules \
 && rm -rf /var/lib/apt/lists/*
USER vcache
EXPOSE 8000
ENTRYPOINT ["varnishd", "-F", "-n", "/var/lib/varnish", "-f", "/etc/varnish/default.vcl", "-a", ":8000"]
CMD ["-s", "malloc,64m"]
