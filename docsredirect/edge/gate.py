"""The gate: where the CDN has a secret, only what comes through the CDN is answered."""

import hmac
from collections.abc import Sequence

from aiohttp.web import BaseRequest

from docsredirect.edge.requests import Target, is_health

HEADER = "X-CDN-Secret"


class Gate:
    """Lets in whoever shows one of `secrets`, and everybody where there is none. Health is asked without the CDN."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]

    def lets_in(self, request: BaseRequest, target: Target) -> bool:
        """Tell whether a request is to be answered. How long it takes says nothing about a secret."""
        if not self._secrets or is_health(target):
            return True
        shown = request.headers.getall(HEADER, [])
        if len(shown) != 1:
            return False
        text = shown[0].encode("utf-8", "surrogateescape")
        return any(hmac.compare_digest(text, secret) for secret in self._secrets)
