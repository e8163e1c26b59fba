"""What a person sees on a terminal of what went wrong."""

import os
import pty
import subprocess
import sys

_FAILS = """
import structlog
from docsredirect.cli.terminal import set_up_logging
set_up_logging("info")
def sign_in():
    token = "drd_" + "s3cret" * 3
    raise ValueError("the store said no")
try:
    sign_in()
except ValueError:
    structlog.get_logger().exception("failed")
"""
_SECRET = "s3cret" * 3


def _shown(*, on_terminal: bool) -> str:
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    with open(ours, "rb", buffering=0) as seen:
        subprocess.run([sys.executable, "-c", _FAILS], stderr=theirs, check=True, timeout=60)
        os.close(theirs)
        text = b""
        try:
            while piece := seen.read(65_536):
                text += piece
        except OSError:  # a terminal whose other side was closed says so
            return text.decode()
    return text.decode()


def test_a_traceback_on_a_terminal_holds_no_local_variables() -> None:
    """They hold tokens. Where it failed and why is there."""
    shown = _shown(on_terminal=True)
    assert _SECRET not in shown
    assert "sign_in" in shown
    assert "ValueError: the store said no" in shown


def test_a_traceback_in_the_log_holds_no_local_variables() -> None:
    """Nor does the JSON form."""
    shown = _shown(on_terminal=False)
    assert "ValueError: the store said no" in shown
    assert _SECRET not in shown
