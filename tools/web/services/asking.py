"""Asks services so that a home asks each question once: kept answers, one asker, one pace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from tools.web.services.request import (
    BadQuery,
    Service,
    ServiceError,
    ServiceRequest,
    TooManyRequests,
    send,
)
from tools.web.services.shared_folder import KeptAnswer, SharedFolder

_WORTH_WAITING = 30.0
"""Seconds for which a refused request is sent once more within the same call."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ServiceAnswer(Generic[T]):
    """What a service answered."""

    found: T
    body: bytes
    """The answer as it came."""
    time: float
    """When the service was asked, in seconds since the epoch."""
    is_kept: bool
    """Whether it was asked before, by this session or another one."""


class Asking:
    """Asks services; `folder` is what the sessions of a home share, `None` shares nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._shared = SharedFolder(folder) if folder is not None else None

    async def ask(
        self,
        service: Service,
        request: ServiceRequest,
        read: Callable[[bytes], T],
        fetch: Callable[[], Awaitable[bytes]] | None = None,
    ) -> ServiceAnswer[T]:
        """Return what a service answers, or has answered before.

        `read` makes of an answer what is wanted of it, and raises `ServiceError` for one that
        cannot be used; `fetch` is another way to ask than `send`.

        Raises `ServiceError`, `BadQuery`.
        """

        async def fetched() -> bytes:
            return await (fetch() if fetch is not None else send(service, request))

        shared = self._shared
        if shared is None:
            now, body = time.time(), await fetched()
            return ServiceAnswer(read(body), body, now, is_kept=False)
        began = time.time()
        kept = await asyncio.to_thread(shared.find, request.key)
        if kept is None or kept.failure:
            async with shared.locked(request.key):
                kept = await asyncio.to_thread(shared.find, request.key)
                if kept is None or (kept.failure and kept.time < began):
                    return await self._ask(shared, service, request, read, fetched)
        if kept.failure:
            raise ServiceError(kept.failure)
        return ServiceAnswer(read(kept.body), kept.body, kept.time, is_kept=True)

    async def _ask(
        self,
        shared: SharedFolder,
        service: Service,
        request: ServiceRequest,
        read: Callable[[bytes], T],
        fetched: Callable[[], Awaitable[bytes]],
    ) -> ServiceAnswer[T]:
        """Ask, and keep the answer, or for those that wait the failure."""
        try:
            body = await self._in_turn(shared, service, fetched)
            found = read(body)
        except BadQuery:
            raise
        except ServiceError as error:
            failed = KeptAnswer(time.time(), failure=str(error))
            await asyncio.to_thread(shared.keep, request.key, failed)
            raise
        now = time.time()
        await asyncio.to_thread(shared.keep, request.key, KeptAnswer(now, body))
        return ServiceAnswer(found, body, now, is_kept=False)

    async def _in_turn(
        self, shared: SharedFolder, service: Service, fetched: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        for is_last in (False, True):
            await asyncio.sleep(await shared.book(service.name, service.pace))
            try:
                return await fetched()
            except TooManyRequests as error:
                await shared.delay(service.name, error.seconds)
                if is_last or error.seconds > _WORTH_WAITING:
                    raise
        raise AssertionError("the last request returns or raises")
