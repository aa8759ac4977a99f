"""Free search engines through the `ddgs` library; needs no key, and is for trying only."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from sandbox.host_programs import python_command
from tools.web.proxies import BadProxy, find_proxy
from tools.web.search import Search, SearchProvider, SearchResult, as_result
from tools.web.services.json_answers import read_entries, read_json
from tools.web.services.request import TIMEOUT, ServiceError, ServiceRequest

_AN_ENGINE = "duckduckgo.com"
"""The engines are all public: a proxy is used for all or none of them."""
_PROGRAM = Path(__file__).with_name("ddgs_search.py")

Found = list[dict[str, Any]]


def _find(search: Search) -> Found:
    """Ask in a process with limits: the library reads what an engine sends to its end."""
    try:
        proxy = asyncio.run(find_proxy("https", _AN_ENGINE, 443))
    except BadProxy as error:
        raise ServiceError(str(error)) from None
    asked = {
        "query": search.words,
        "count": search.count,
        "timeout": int(TIMEOUT / 2),
        "proxy": proxy.url if proxy else None,
        "since": search.since[0] if search.since else None,
    }
    try:
        done = subprocess.run(
            python_command(str(_PROGRAM)),
            input=orjson.dumps(asked),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=True,
        )
        answer = orjson.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise ServiceError(f"No search engine answered in {TIMEOUT:.0f} s.") from None
    except (OSError, subprocess.CalledProcessError, ValueError):
        raise ServiceError("The program that asks search engines broke off.") from None
    if "failed" in answer:
        raise ServiceError(answer["failed"])
    found: Found = answer["found"]
    return found


class DdgsProvider(SearchProvider):
    """Asks whichever engines answer."""

    name = "ddgs"
    title = "ddgs"
    pace = 2.0  # the engines refuse after a few quick questions

    def __init__(self, find: Callable[[Search], Found] = _find, timeout: float = TIMEOUT) -> None:
        super().__init__(timeout)
        self._find = find

    def request(self, search: Search) -> ServiceRequest:
        """Return what makes a search another one."""
        params = {"q": search.words, "count": str(search.count), "since": search.since or ""}
        return ServiceRequest("ddgs:", params)

    def read(self, body: bytes) -> list[SearchResult]:
        """Read the results."""
        entries = read_entries(read_json(body, self.title), self.title)
        return [as_result(one, "title", "href", "body", "date", "source") for one in entries]

    async def fetch(self, search: Search) -> bytes:
        """Search in a thread, since the library blocks."""
        try:
            async with asyncio.timeout(self.timeout):
                found = await asyncio.to_thread(self._find, search)
        except TimeoutError:
            raise ServiceError(f"No search engine answered in {self.timeout:.0f} s.") from None
        return orjson.dumps(found, default=str)
