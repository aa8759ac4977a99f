"""One request to a service, such as a search engine: bounded, and kept to that server alone."""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from tools.web.inflate import ACCEPTED, UnknownCoding, read_body
from tools.web.proxies import BadProxy, find_proxy
from tools.web.tls import NoCertificates, trusted

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5
MAX_ANSWER = 4 << 20
"""Bytes of one."""
TIMEOUT = 20.0
"""Seconds for one request."""
_PORTS = {"http": 80, "https": 443}
_OF_THE_QUERY = (400, 413, 414, 422)
"""HTTP statuses with which a service refuses a query."""
_OF_THE_KEY = (401, 402, 403)
_TOO_MANY = (429, 503)
_WAIT = 10.0
"""Seconds to wait where a service asks for fewer requests and does not say how long."""
LONGEST_WAIT = 3600.0
"""Seconds that a service may ask for."""


class ServiceError(Exception):
    """Raised when a service cannot be used; the message is one sentence with the cause."""


class BadQuery(ServiceError):
    """Raised when a service refuses this query, and works."""


class TooManyRequests(ServiceError):
    """Raised when a service asks for fewer requests."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds
        """How long to wait."""


class Service(Protocol):
    """A service."""

    @property
    def name(self) -> str:
        """Its name in settings and recordings."""
        ...

    @property
    def title(self) -> str:
        """Its name in sentences."""
        ...

    @property
    def pace(self) -> float:
        """Seconds between two requests, of everybody in this home."""
        ...

    @property
    def refusals(self) -> Mapping[int, str]:
        """What an HTTP status of this service means, as the end of a sentence with the remedy."""
        ...


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """A question as a service wants it. A key is in the headers, and nowhere else."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    """The body of a POST; without it the request is a GET."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_lookup: bool = False
    """Whether status 404 says that there is no such thing; else the URL is wrong."""

    @property
    def key(self) -> str:
        """What is the same for the same question."""
        asked = (self.url, self.params, self.json)
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def send(service: Service, request: ServiceRequest, timeout: float = TIMEOUT) -> bytes:
    """Return what a service answers. An operator's own server may be anywhere.

    Raises `ServiceError`, `BadQuery`, `TooManyRequests`.
    """
    import httpx

    title = service.title
    try:
        async with asyncio.timeout(timeout):
            response = await _follow(request, timeout)
    except (BadProxy, NoCertificates) as error:
        raise ServiceError(str(error)) from None
    except TimeoutError:
        raise ServiceError(f"{title} did not answer in {timeout:.0f} s.") from None
    except (httpx.HTTPError, httpx.InvalidURL, UnknownCoding, zlib.error, ValueError) as error:
        cause = str(error) or type(error).__name__
        raise ServiceError(f"{title} cannot be reached: {cause}.") from None
    if response.status_code == 200:
        return response.content
    raise _failure(service, request, response)


def _failure(service: Service, request: ServiceRequest, response: httpx.Response) -> ServiceError:
    title, status = service.title, response.status_code
    if status == 404 and request.is_lookup:
        return BadQuery(f"{title} knows nothing of that name.")
    if status in service.refusals:
        return ServiceError(f"{title} {service.refusals[status]}.")
    if status in _OF_THE_QUERY:
        return BadQuery(f"{title} answered HTTP {status}.")
    if status in _TOO_MANY:
        seconds = _seconds(response.headers.get("retry-after", ""))
        words = f"{title} asks for fewer requests (HTTP {status}): wait {seconds:.0f} s."
        return TooManyRequests(words, seconds)
    if status in _OF_THE_KEY and request.headers:
        return ServiceError(f"{title} refuses the key (HTTP {status}): correct SII_SEARCH_KEY.")
    return ServiceError(f"{title} answered HTTP {status}.")


def _seconds(text: str) -> float:
    """Return the seconds of a `Retry-After`; a date in it is not read."""
    known = text.isascii() and text.isdigit() and len(text) < 9
    return min(float(text), LONGEST_WAIT) if known else _WAIT


async def _follow(request: ServiceRequest, timeout: float) -> httpx.Response:
    """Send a request, and again where the server redirects within itself.

    Raises `httpx.HTTPError`, `httpx.InvalidURL`, `BadProxy`, `NoCertificates`, `UnknownCoding`,
    `zlib.error`, `ValueError` for a redirect elsewhere and for too much.
    """
    import httpx

    first = httpx.URL(request.url, params=dict(request.params))
    proxy = await find_proxy(first.scheme, first.host, first.port or _PORTS.get(first.scheme, 0))
    method = "GET" if request.json is None else "POST"
    async with httpx.AsyncClient(
        timeout=timeout,
        trust_env=False,
        verify=trusted(),
        proxy=proxy.url if proxy else None,
        headers={"User-Agent": "sii-cli", **request.headers, "Accept-Encoding": ACCEPTED},
    ) as client:
        target = first
        for _ in range(MAX_REDIRECTS + 1):
            async with client.stream(method, target, json=request.json) as response:
                if not response.has_redirect_location:
                    coding = response.headers.pop("content-encoding", "")
                    body = await read_body(response.aiter_raw(), coding, MAX_ANSWER)
                    if len(body) > MAX_ANSWER:
                        raise ValueError(f"an answer of more than {MAX_ANSWER:,} bytes")
                    kept = {"retry-after": response.headers.get("retry-after", "")}
                    return httpx.Response(response.status_code, headers=kept, content=body)
                target = target.join(response.headers["location"])
            if (target.scheme, target.netloc) != (first.scheme, first.netloc):
                raise ValueError(f"it redirects to another server ({target.host:.80})")
    raise ValueError(f"it redirects more than {MAX_REDIRECTS} times")
