"""Keeps the tests off the network: connections go to loopback, or are refused."""

import ipaddress
import socket
from typing import Any

import pytest


class NetworkRefusedError(RuntimeError):
    """A test tried to leave this machine.

    Not an `OSError`: code under test takes those for a server that is down, and would carry on.
    """


def is_local(address: object) -> bool:
    """Whether a socket address stays on this machine: loopback, unspecified (the same), or a Unix path."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).partition("%")[0]
    if host in {"", "localhost"}:
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return ip.is_loopback or ip.is_unspecified


def refuse_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process raise `NetworkRefusedError` where it connects to, or looks up, anything but loopback.

    Covers `socket.socket.connect`, `connect_ex` and `socket.getaddrinfo`, and with them asyncio's own loop,
    http.client, aiohttp and botocore. It does not cover datagrams sent without a connection, what uvloop does
    inside libuv (looking names up, and ``create_connection`` with a host; aiohttp on uvloop is covered only
    for addresses), nor the processes that tests start.
    """
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
    look_up = socket.getaddrinfo

    def getaddrinfo(host: bytes | str | None, *args: Any, **options: Any) -> Any:
        name = host.decode("idna") if isinstance(host, bytes) else host or ""
        _check((name,))
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _guarded(connect: Any) -> Any:
    def guarded(self: socket.socket, address: Any) -> Any:
        _check(address)
        return connect(self, address)

    return guarded


def _check(address: object) -> None:
    if not is_local(address):
        raise NetworkRefusedError(f"Tests reach loopback only, not {address!r}: start a server on 127.0.0.1.")
