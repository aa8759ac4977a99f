"""What a model server says of itself: its models, its version, the tokens of a text."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import orjson

from sii_cli.model.errors import ModelCallFailed, ModelCallRefused
from sii_cli.model.failures import failure_of_exception, failure_of_status, shown_name
from sii_cli.model.http.transport import Answer, Connections
from sii_cli.model.response_limits import SPARE_BYTES, is_count

ASK_TIMEOUT = 30.0
"""Seconds for everything but a response of the model."""
MAX_METRICS = 4 << 20
"""Bytes of a server's metrics."""
MAX_MODELS = 8
"""Models that are named in a message."""
MAX_FIELDS = 32
MAX_TEXT = 1000
"""Fields of a model's entry that are kept, and characters of each."""
BYTES_A_TOKEN = 64
"""Of what a token spells, as JSON writes it; generous for a long text."""

_JSON = {"Content-Type": "application/json"}

Entry = dict[str, Any]
"""A model's entry in `/v1/models`."""


class Server:
    """A model server by its URL; connections are made when they are first needed."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        url = base_url.rstrip("/")
        self.base_url = url if url.endswith("/v1") else f"{url}/v1"
        key = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._connections = Connections(self.base_url, key)

    async def post(self, path: str, body: bytes, request_id: str, limit: int) -> Answer:
        """Send a request for a response; return the answer, its body still to be read.

        Raises as `Connections.send` does.
        """
        headers = {**_JSON, "X-Request-Id": request_id}
        url = f"{self.base_url}/{path}"
        return await self._connections.send("POST", url, body, headers, limit)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    async def models(self) -> list[Entry]:
        """Return the models served. Raises `ModelCallFailed`."""
        data = (await self.ask("GET", "/v1/models")).get("data")
        entries = [_plain(e) for e in data if _is_entry(e)] if isinstance(data, list) else []
        if not entries:
            raise ModelCallFailed("garbage", f"The server at {self.base_url} serves no model.")
        return entries

    async def model(self, name: str | None) -> tuple[str, dict[str, Entry]]:
        """Return the model of that name, or the first one, and all entries by name.

        Raises `ModelCallFailed`.
        """
        entries = {entry["id"]: entry for entry in await self.models()}
        name = name or next(iter(entries))
        if name not in entries:
            served = named(entries)
            message = f"The server does not serve {name!r}; it serves {served}: set SII_MODEL."
            raise ModelCallRefused("unknown_model", message)
        return name, entries

    async def version(self) -> str | None:
        """Return vLLM's version, or `None` for another server."""
        try:
            return shown_name((await self.ask("GET", "/version"))["version"])
        except (ModelCallFailed, KeyError):
            return None

    async def metrics(self) -> str:
        """Return the server's metrics (Prometheus text), or an empty text where it has none."""
        try:
            found = await self._ask("GET", "/metrics", limit=MAX_METRICS)
            return found.decode("utf-8", "replace")
        except ModelCallFailed:
            return ""

    async def tokenize(self, body: dict[str, Any]) -> list[int] | None:
        """Return the ids of a prompt, or of messages as the template renders them.

        `None` where the server does not say.
        """
        try:
            ids = (await self.ask("POST", "/tokenize", body)).get("tokens")
        except ModelCallFailed:
            return None
        return ids if isinstance(ids, list) and all(map(is_count, ids)) else None

    async def detokenize(self, model: str, ids: list[int]) -> str:
        """Return what ids spell. Raises `ModelCallFailed` where the server does not say."""
        body = {"model": model, "tokens": ids}
        limit = BYTES_A_TOKEN * len(ids) + SPARE_BYTES
        said = self._object(await self._ask("POST", "/detokenize", body, limit))
        text = said.get("prompt")
        if not isinstance(text, str):
            raise ModelCallFailed("garbage", f"{self.base_url} does not tell what ids spell.")
        return text

    async def token_ids(self, model: str, tokens: Sequence[str]) -> dict[str, int]:
        """Return the ids of control tokens, or nothing where the server does not know them."""
        if not tokens:
            return {}
        body = {"model": model, "prompt": "".join(tokens), "add_special_tokens": False}
        ids = await self.tokenize(body)
        return dict(zip(tokens, ids or (), strict=True)) if len(ids or ()) == len(tokens) else {}

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Send a request and return the object in the answer. Raises `ModelCallFailed`."""
        return self._object(await self._ask(method, path, body))

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, limit: int | None = None
    ) -> bytes:
        """Return the body of an answer of `limit` bytes, or of what fits the question."""
        url = self.base_url.removesuffix("/v1") + path
        sent = None if body is None else orjson.dumps(body)
        limit = limit or SPARE_BYTES + 8 * len(sent or b"")
        try:
            async with asyncio.timeout(ASK_TIMEOUT):
                answer = await self._connections.send(method, url, sent, _JSON, limit)
                with closing(answer):
                    content = await answer.read_all()
        except Exception as error:
            failure = failure_of_exception(error, self.base_url)
            if failure is None:
                raise
            raise failure from error
        if answer.status != 200:
            model = str(body.get("model")) if body else ""
            raise failure_of_status(answer.status, content, answer.headers, model)
        return content

    def _object(self, content: bytes) -> dict[str, Any]:
        try:
            parsed = orjson.loads(content)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            message = f"What answers at {self.base_url} is not a model server: check SII_BASE_URL."
            raise ModelCallRefused("bad_url", message)
        return parsed


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(name := entry.get("id"), str) and bool(name)


def _plain(entry: Entry) -> Entry:
    """Return the fields of a model that may be shown and recorded: short texts, and counts."""
    return {
        name[:MAX_TEXT]: value[:MAX_TEXT] if isinstance(value, str) else value
        for name, value in islice(entry.items(), MAX_FIELDS)
        if isinstance(value, str | bool) or is_count(value)
    }


def named(models: Iterable[str]) -> str:
    """Name models in a message: the first few, each cut."""
    names = list(models)
    more = f" and {len(names) - MAX_MODELS} more" if len(names) > MAX_MODELS else ""
    return ", ".join(map(shown_name, names[:MAX_MODELS])) + more
