"""How a host's name becomes addresses, and which of them may be connected to."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from sandbox.network.addresses import may_reach, may_reach_private

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Host name and port → addresses. Raises `OSError`."""
Allowed = Callable[[str], bool]
"""Whether an address may be connected to."""

_LOOKUPS = 64
_free = threading.BoundedSemaphore(_LOOKUPS)


@dataclass(frozen=True, slots=True)
class ResolvePolicy:
    """How host names become addresses, and which addresses may be connected to.

    Users have one policy, `PUBLIC_WEB`; tests and benchmarks have others.
    """

    resolve: Resolve
    may_reach: Allowed
    may_reach_private: Allowed = may_reach_private
    """The same for a host that the user says is in a private network."""


async def resolve(host: str, port: int) -> list[str]:
    """Look a host up as the system does: also 2130706433 and 0177.0.0.1 become an address.

    In a thread of its own: a name server that does not answer must neither take the threads that
    others wait for nor hold up the end of the program.
    """
    if not _free.acquire(blocking=False):
        raise OSError(errno.EAGAIN, "too many names are being looked up")
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def tell(addresses: list[str], error: Exception | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(addresses)
        else:
            found.set_exception(error)

    def look_up() -> None:
        addresses: list[str] = []
        failure: Exception | None = None
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(address[0]) for *_, address in answers))
        except (OSError, UnicodeError) as error:
            failure = error
        finally:
            _free.release()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, addresses, failure)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    return await found


PUBLIC_WEB = ResolvePolicy(resolve, may_reach)
"""The public internet, as this machine resolves it."""
