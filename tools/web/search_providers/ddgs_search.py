"""A program: a search as JSON on stdin, what free search engines found as JSON on stdout.

It runs in a process of its own and limits itself, since the library reads whatever an engine
sends; it imports nothing of this project.
"""

from __future__ import annotations

import json
import resource
import sys
from typing import Any

MEMORY = 2 << 30
CPU_SECONDS = 20
MAX_FOUND = 4 << 20
"""Bytes of JSON."""
ENCYCLOPEDIAS = frozenset({"wikipedia", "grokipedia"})
"""Engines that find no more than their own articles."""


class NoEngine(Exception):
    """Raised when no engine answers; the message is a sentence."""


def main() -> None:
    """Read one search; answer with `found`, or with `failed` and a sentence."""
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, CPU_SECONDS)):
        _, hard = resource.getrlimit(what)
        if hard == resource.RLIM_INFINITY or hard > most:
            resource.setrlimit(what, (most, most))
    try:
        answer = json.dumps({"found": find(**json.load(sys.stdin))}, default=str)
    except NoEngine as error:
        answer = json.dumps({"failed": str(error)})
    if len(answer) > MAX_FOUND:
        answer = json.dumps({"failed": f"An engine answers with more than {MAX_FOUND:,} bytes."})
    sys.stdout.write(answer)


def find(
    query: str, count: int, timeout: int, proxy: str | None = None, since: str | None = None
) -> list[dict[str, Any]]:
    """Return what engines found; nothing where one looked and found nothing. Raises `NoEngine`."""
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException

    ddgs = DDGS(timeout=timeout, proxy=proxy)
    answered = _watch_engines(ddgs)
    try:
        return list(ddgs.text(query, max_results=count, timelimit=since))
    except DDGSException as error:
        if answered - ENCYCLOPEDIAS:
            return []
        raise NoEngine(f"No search engine answered: {str(error)[:300]}") from None


def _watch_engines(ddgs: Any) -> set[str]:
    """Return a set that is filled with the names of the engines that answer.

    The library takes an engine that refuses (a rate limit, a check for robots) for one that found
    nothing.
    """
    answered: set[str] = set()
    get_engines = ddgs._get_engines

    def watched(engine: Any) -> Any:
        request = engine.request

        def answer(*args: Any, **options: Any) -> Any:
            text = request(*args, **options)
            if text:
                answered.add(engine.name)
            return text

        engine.request = answer
        return engine

    ddgs._get_engines = lambda *args: [watched(engine) for engine in get_engines(*args)]
    return answered


if __name__ == "__main__":
    main()
