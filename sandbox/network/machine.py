"""Tells a network that is missing on this machine from a host that does not answer."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator

from sandbox.network.resolve import Resolve

NO_NETWORK = (
    "This machine has no working network now: this is not the fault of the address, and nothing is "
    "known of what stands there."
)
_KNOWN_HOST = "example.com"
"""Kept by IANA for documentation (RFC 2606): it is resolved wherever names of the internet are."""
_OURS = frozenset(
    (
        *(errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL),
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
    )
)
"""No route, no address, no descriptor, no memory: no host can cause these."""


async def resolves_names(resolve: Resolve, timeout: float) -> bool:
    """Tell whether names are resolved here at all, by one that always exists."""
    try:
        async with asyncio.timeout(timeout):
            return bool(await resolve(_KNOWN_HOST, 443))
    except OSError:  # TimeoutError, too
        return False


def is_of_this_machine(error: BaseException) -> bool:
    """Whether a connection failed before it could reach a host, by what stands behind the error."""
    return any(isinstance(one, OSError) and one.errno in _OURS for one in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    rest: list[BaseException | None] = [error]
    while rest:
        one = rest.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        rest += [one.__cause__, one.__context__]
        if isinstance(one, BaseExceptionGroup):
            rest += one.exceptions
