"""What holds for every test: a scrubbed environment, loopback only, real parts or a word about them."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

import pytest
import structlog
import uvloop
from hypothesis import settings

from tests.support.loopback import refuse_the_rest
from tests.support.real_parts import RealParts

_SCRUBBED = ("AWS_", "DOCSREDIRECT_")

# The default gives the same examples on every machine, so that a red run can be had again. To search for new
# ones: make test ARGS=--hypothesis-profile=fuzz
settings.register_profile("ci", derandomize=True, max_examples=200, deadline=None, print_blob=True)
settings.register_profile("fuzz", max_examples=20_000, deadline=None, print_blob=True)
settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    """Scrub the environment before any test module is imported, and set up the real parts."""
    # An edge on S3 keeps a table below this; a test's must not be the user's.
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="docsredirect-state-")
    for name in [name for name in os.environ if name.startswith(_SCRUBBED)]:
        del os.environ[name]
    config.pluginmanager.register(RealParts(required=os.environ.get("CI") == "true"), "real-parts")


def pytest_unconfigure() -> None:
    """Remove what the tests' edges kept."""
    shutil.rmtree(os.environ["XDG_STATE_HOME"], ignore_errors=True)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutines on the event loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        refuse_the_rest(monkeypatch)
        yield


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Undo what a command that ran in this process has set up: its level would hide what later tests look for."""
    yield
    structlog.reset_defaults()
