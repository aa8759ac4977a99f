"""Fetches public pages: every hop's address is checked after resolution, and pinned.

It reaches them through the machine's proxy where there is one (`connect.py`). Turning a page into
text is left to `page.py`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.network.addresses import may_reach
from sandbox.network.machine import NO_NETWORK, is_of_this_machine, resolves_names
from sandbox.network.resolve import Allowed, Resolve, resolve
from tools.base import ToolError, ToolOutage
from tools.web.charsets import known_charset
from tools.web.inflate import ACCEPTED, UnknownCoding, read_body
from tools.web.proxies import BadProxy, find_proxy
from tools.web.tls import NoCertificates, trusted

if TYPE_CHECKING:
    import httpcore
    import httpx

    from tools.web.connect import CheckedBackend

MAX_BYTES = 5 << 20
"""Of a page, decompressed."""
MAX_DOCUMENT = 64 << 20
"""Of a document, such as a PDF, and of what is fetched whole."""
MAX_REDIRECTS = 5
TIMEOUT = 30.0
"""Seconds for a page with all its redirects."""
_LOOKUP = 1 / 3
"""Share of that time that a host's name may take."""
_HEADERS = [
    (b"User-Agent", b"Mozilla/5.0 (compatible; sii-cli)"),
    (
        b"Accept",
        b"text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, */*;q=0.5",
    ),
    (b"Accept-Encoding", ACCEPTED.encode()),
]
_DOCUMENTS = (
    "application/pdf",
    "application/x-ipynb+json",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.apache.parquet",
    "application/vnd.sqlite3",
)
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class FetchResult:
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
        max_document: int = MAX_DOCUMENT,
    ) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._max_document = max_document

    async def fetch(self, url: str, *, whole: bool = False) -> FetchResult:
        """Fetch a page; `whole` allows any of them the size of a document.

        Raises `ToolError` for what is refused and for a site that fails, `ToolOutage` where this
        machine has no network.
        """
        try:
            async with asyncio.timeout(self._timeout):
                return await self._follow(url, whole)
        except TimeoutError:
            seconds = f"{self._timeout:.0f} s"
            raise ToolError("timeout", f"{url} did not answer in full within {seconds}.") from None

    async def _follow(self, url: str, whole: bool) -> FetchResult:
        import httpcore

        from tools.web.connect import ProxyDown

        target = _checked(url)
        failures = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                async with self._open(target) as (response, backend):
                    if response.status not in _REDIRECTS:
                        limit = self._limit(target, response, whole)
                        backend.allow_body(limit)
                        return await _read(target, response, limit)
                    location = _location(target, response)
            except (BadProxy, NoCertificates) as error:
                raise ToolOutage(f"{target} was not fetched. {error}") from None
            except ProxyDown as error:
                raise ToolOutage(f"{target} was not fetched: {error}.") from None
            except (*failures, zlib.error) as error:
                if is_of_this_machine(error):
                    raise ToolOutage(f"{target} was not fetched. {NO_NETWORK}") from None
                message = f"{target} could not be fetched: {str(error) or type(error).__name__}."
                raise ToolError("fetch_failed", message) from None
            target = _checked(location, target)
        raise ToolError("too_many_redirects", f"{url} redirects more than {MAX_REDIRECTS} times.")

    @asynccontextmanager
    async def _open(
        self, url: httpx.URL
    ) -> AsyncIterator[tuple[httpcore.Response, CheckedBackend]]:
        """Connect to an address that was checked; the name goes to the server and into TLS."""
        import httpcore

        from tools.web.connect import CheckedBackend

        name = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._addresses(name, port)
        proxy = await find_proxy(
            url.scheme, name, port, resolve=self._resolve, is_public=self._allowed
        )
        backend = CheckedBackend(addresses, proxy)
        # A pool of its own: what is kept in it was checked for this name alone.
        async with (
            httpcore.AsyncConnectionPool(ssl_context=trusted(), network_backend=backend) as pool,
            pool.stream(
                "GET",
                httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=[(b"Host", url.netloc), *_HEADERS],
                extensions={"timeout": dict.fromkeys(("connect", "read", "write"), self._timeout)},
            ) as response,
        ):
            yield response, backend

    def _limit(self, url: httpx.URL, response: httpcore.Response, whole: bool) -> int:
        """Return how many bytes of a body are read."""
        named = dict(response.headers).get(b"content-type", b"").partition(b";")[0].strip().lower()
        is_document = named.decode("latin-1") in _DOCUMENTS or url.path.lower().endswith(".pdf")
        return self._max_document if whole or is_document else self._max_bytes

    async def _addresses(self, name: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(self._timeout * _LOOKUP):
                addresses = await self._resolve(name.strip("[]"), port)
        except (OSError, UnicodeError):
            if not await resolves_names(self._resolve, self._timeout * _LOOKUP):
                raise ToolOutage(f"{name} could not be looked up. {NO_NETWORK}") from None
            raise ToolError("unknown_host", f"The host {name} does not exist.") from None
        if not addresses or not all(map(self._allowed, addresses)):
            raise ToolError(
                "refused_address",
                f"{name} is not a public address; web_fetch reaches the public web only. "
                "For servers inside the sandbox use bash with curl.",
            )
        return addresses


async def _read(url: httpx.URL, response: httpcore.Response, limit: int) -> FetchResult:
    import httpx

    head = httpx.Response(response.status, headers=response.headers, extensions=response.extensions)
    coding = head.headers.get("content-encoding", "")
    try:
        body = await read_body(response.aiter_stream(), coding, limit)
    except UnknownCoding as error:
        message = f"{url} came compressed as {error}, which was not asked for."
        raise ToolError("bad_encoding", message) from None
    content_type, _, _ = head.headers.get("content-type", "").partition(";")
    return FetchResult(
        url=str(url),
        status=head.status_code,
        reason=head.reason_phrase,
        content_type=content_type.strip().lower(),
        charset=known_charset(head.charset_encoding),
        body=body[:limit],
        truncated=len(body) > limit,
    )


def _location(url: httpx.URL, response: httpcore.Response) -> str:
    """Return where a redirect leads. Raises `ToolError`."""
    for name, value in response.headers:
        if name.lower() == b"location" and value.strip():
            return value.decode("utf-8", "replace")
    message = f"{url} answers with a redirect ({response.status}) that leads nowhere."
    raise ToolError("bad_redirect", message)


def _checked(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read a URL, relative to another if there is one. Raises `ToolError`."""
    import httpx

    try:
        target = base.join(url) if base else httpx.URL(url.strip())
        host = target.host  # decoded, which may fail
    except (httpx.InvalidURL, ValueError) as error:
        raise ToolError("bad_url", f"{url} is not a URL: {error}.") from None
    if target.scheme not in ("http", "https") or not host:
        raise ToolError("bad_url", f"{target} is not an http or https URL.")
    if target.port is not None and not 0 < target.port < 65536:
        raise ToolError("bad_url", f"{target} has no possible port.")
    if target.userinfo:
        raise ToolError("bad_url", "URLs with a user name or a password are not fetched.")
    return target
