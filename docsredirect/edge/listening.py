"""The listening socket. Apart from the server, so that who only opens it need not import the server."""

import os
import socket

from docsredirect.domain.settings import Address

BACKLOG = 1_024


def listen(address: Address) -> socket.socket:
    """Return a listening socket. Raises `OSError`, with words for a person, where the address cannot be had."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        listener = socket.create_server(
            (address.host, address.port),
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=address.host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        is_name = isinstance(error, socket.gaierror)
        reason = str(error.strerror) if is_name or not error.errno else os.strerror(error.errno)
        raise OSError(error.errno, f"Cannot listen on {address}: {reason}") from error
    listener.setblocking(False)
    return listener
