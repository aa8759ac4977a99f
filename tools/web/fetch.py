"""Fetches public pages: every hop's address is checked after resolution, and pinned.

Turning a page into text is left to `page.py`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sandbox.network.addresses import may_reach
from sandbox.network.resolve import Allowed, Resolve, resolve
from tools.base import ToolError, ToolOutage
from tools.web.machine import NO_NETWORK, is_of_this_machine

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 5 << 20
"""Of a page, decompressed."""
MAX_REDIRECTS = 5
TIMEOUT = 30.0
"""Seconds for a page with all its redirects."""
_LOOKUP = 1 / 3
"""Share of that time that a host's name may take."""
_KNOWN_HOST = "example.com"
"""Kept by IANA for documentation (RFC 2606): it is resolved wherever names of the internet are."""
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; sii-cli)",
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.5",
}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered."""

    url: str
    """Where the answer came from, after redirects."""
    status: int
    reason: str
    content_type: str
    """Without parameters, in lower case; empty when the server names none."""
    charset: str | None
    body: bytes
    truncated: bool = False
    """The body was longer than the limit."""


class Fetcher:
    """GETs pages. `resolve` and `allowed` decide what may be reached."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve,
        allowed: Allowed = may_reach,
        timeout: float = TIMEOUT,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._timeout = timeout
        self._max_bytes = max_bytes

    async def fetch(self, url: str) -> Fetched:
        """Fetch a page.

        Raises `ToolError` for what is refused and for a site that fails, `ToolOutage` where this
        machine has no network.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow(url)
        except TimeoutError:
            seconds = f"{self._timeout:.0f} s"
            raise ToolError("timeout", f"{url} did not answer in full within {seconds}.") from None

    async def _follow(self, url: str) -> Fetched:
        import httpx

        target = _checked(url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                async with self._open(target) as response:
                    location = response.headers.get("location")
                    if not response.is_redirect or not location:
                        return await self._read(target, response)
            except httpx.HTTPError as error:
                if is_of_this_machine(error):
                    raise ToolOutage(f"{target} was not fetched. {NO_NETWORK}") from None
                message = f"{target} could not be fetched: {error or type(error).__name__}."
                raise ToolError("fetch_failed", message) from None
            target = _checked(location, target)
        raise ToolError("too_many_redirects", f"{url} redirects more than {MAX_REDIRECTS} times.")

    @asynccontextmanager
    async def _open(self, url: httpx.URL) -> AsyncIterator[httpx.Response]:
        """Connect to an address that was checked; the name goes to the server and into TLS."""
        import httpx

        name = url.raw_host.decode("ascii")
        addresses = await self._addresses(url, name)
        # A client of its own: pooled by address, a connection could be used for another name.
        async with httpx.AsyncClient(
            verify=_tls(), trust_env=False, timeout=self._timeout, headers=_HEADERS
        ) as client:
            for address in addresses:
                request = client.build_request(
                    "GET",
                    url.copy_with(host=address, fragment=None),
                    headers={"Host": url.netloc.decode("ascii")},
                    extensions={"sni_hostname": name},
                )
                try:
                    response = await client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if address == addresses[-1]:
                        raise
                    continue
                try:
                    yield response
                finally:
                    await response.aclose()
                return

    async def _addresses(self, url: httpx.URL, name: str) -> list[str]:
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            async with asyncio.timeout(self._timeout * _LOOKUP):
                addresses = await self._resolve(name.strip("[]"), port)
        except (OSError, UnicodeError):
            if not await self._resolves_names():
                raise ToolOutage(f"{name} could not be looked up. {NO_NETWORK}") from None
            raise ToolError("unknown_host", f"There is no host {name}.") from None
        if not addresses or not all(map(self._allowed, addresses)):
            raise ToolError(
                "refused_address",
                f"{name} is not a public address; web_fetch reaches the public web only. "
                "For servers inside the sandbox use bash with curl.",
            )
        return addresses

    async def _resolves_names(self) -> bool:
        """Whether names are resolved here at all: told by one that there always is."""
        try:
            async with asyncio.timeout(self._timeout * _LOOKUP):
                return bool(await self._resolve(_KNOWN_HOST, 443))
        except OSError:  # TimeoutError, too
            return False

    async def _read(self, url: httpx.URL, response: httpx.Response) -> Fetched:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._max_bytes:
                break
        content_type, _, _ = response.headers.get("content-type", "").partition(";")
        return Fetched(
            url=str(url),
            status=response.status_code,
            reason=response.reason_phrase,
            content_type=content_type.strip().lower(),
            charset=response.charset_encoding,
            body=bytes(body[: self._max_bytes]),
            truncated=len(body) > self._max_bytes,
        )


def _checked(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read a URL, relative to another if there is one. Raises `ToolError`."""
    import httpx

    try:
        target = base.join(url) if base else httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError) as error:
        raise ToolError("bad_url", f"{url} is not a URL: {error}.") from None
    if target.scheme not in ("http", "https") or not target.host:
        raise ToolError("bad_url", f"{target} is no http or https URL.")
    if target.port is not None and not 0 < target.port < 65536:
        raise ToolError("bad_url", f"{target} has no possible port.")
    if target.userinfo:
        raise ToolError("bad_url", "URLs with a user name or a password are not fetched.")
    return target


@cache
def _tls() -> ssl.SSLContext:
    """Trust the library's certificates and the system's own."""
    import httpx

    context = httpx.create_ssl_context()
    context.load_default_certs()
    return context
