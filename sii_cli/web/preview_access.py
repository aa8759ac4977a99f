"""Who may use a preview: the browser in which its link was opened, once."""

from __future__ import annotations

import hmac
import secrets

import h11

OPEN_PATH = "/.sii-open"
_COOKIE = "sii_preview"
_MOST_LINKS = 8
"""Links that were made and not used; older ones are refused."""


class Refused(Exception):
    """Raised for a request that is not carried out; the message is a sentence for the human."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PreviewAccess:
    """The links and the cookie of one server.

    Its name is random and below `localhost`, which browsers know as this machine: so it is a site
    of its own, and what it serves can neither use nor set the cookies of another local server.
    """

    def __init__(self) -> None:
        self._name = f"sii-{secrets.token_hex(8)}.localhost"
        self._host = ""
        self._cookie = secrets.token_urlsafe(24)
        self._links: list[str] = []

    def serve_at(self, port: int) -> None:
        """Take the port that is listened on."""
        self._host = f"{self._name}:{port}"

    @property
    def origin(self) -> str:
        """The server's origin."""
        return f"http://{self._host}"

    def new_link(self) -> str:
        """Return a link that works once."""
        token = secrets.token_urlsafe(24)
        self._links = [*self._links, token][-_MOST_LINKS:]
        return f"{self.origin}{OPEN_PATH}?token={token}"

    def check(self, request: h11.Request) -> str | None:
        """Check a request; return the cookie to set where it used a link. Raises `Refused`."""
        values = _values(request, b"host")
        if len(values) != 1 or not _equal(values[0], self._host):
            raise Refused(421, "This is not the address of the preview.")
        if not request.target.startswith(b"/"):
            raise Refused(400, "The request names no path.")
        if any(not _equal(value, self.origin) for value in _values(request, b"origin")):
            raise Refused(403, "Another site asked for this: only the preview itself may.")
        path, _, query = request.target.decode("latin-1").partition("?")
        if path == OPEN_PATH:
            return self._use_link(request, query.removeprefix("token="))
        if not any(_equal(value, self._cookie) for value in _cookies(request)):
            raise Refused(
                403, "This browser has not opened the link of the preview: /open makes one."
            )
        return None

    def _use_link(self, request: h11.Request, token: str) -> str:
        used = [link for link in self._links if _equal(token, link)]
        if not used or request.method != b"GET":
            raise Refused(403, "This link was used already, or is too old: /open makes another.")
        self._links.remove(used[0])
        return f"{_COOKIE}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"


def without_own_cookie(value: bytes) -> bytes:
    """Return a `Cookie` header's value without the cookie of `PreviewAccess`."""
    parts = (part.strip() for part in value.split(b";"))
    return b"; ".join(part for part in parts if part.partition(b"=")[0] != _COOKIE.encode())


def _values(request: h11.Request, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in request.headers if key == name]


def _cookies(request: h11.Request) -> list[str]:
    found = []
    for header in _values(request, b"cookie"):
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == _COOKIE:
                found.append(value)
    return found


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
