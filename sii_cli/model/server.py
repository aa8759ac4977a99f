"""What a model server tells of itself: its models, its version, the tokens of a text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import httpx
import orjson

from sii_cli.model.faults import trouble_of_exception, trouble_of_status
from sii_cli.model.transport import transport_for
from sii_cli.model.types import ModelError

CONNECT_TIMEOUT = 10.0
ASK_TIMEOUT = 30.0
"""Seconds for everything but an answer of the model."""

Entry = dict[str, Any]
"""A model's entry in `/v1/models`."""


class Server:
    """A server by its URL; connections are made when it is first asked."""

    def __init__(self, base_url: str, api_key: str | None) -> None:
        url = base_url.rstrip("/")
        self.base_url = url if url.endswith("/v1") else f"{url}/v1"
        self._api_key = api_key

    @cached_property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The connections. Raises `httpx.InvalidURL`, `httpx.UnsupportedProtocol`."""
        return transport_for(self.base_url)

    @cached_property
    def _chat_url(self) -> httpx.URL:
        return httpx.URL(f"{self.base_url}/chat/completions")

    @cached_property
    def _headers(self) -> dict[str, str]:
        key = {} if self._api_key is None else {"Authorization": f"Bearer {self._api_key}"}
        return {"Accept-Encoding": "identity", **key}

    async def chat(self, body: bytes, request_id: str) -> httpx.Response:
        """Send a chat request; return the response, its body still to be read.

        Past `httpx.AsyncClient`, whose redirects, cookies and URL merging nobody needs here: it
        would double the cost of a request. Raises `httpx.TransportError`.
        """
        headers = {"Content-Type": "application/json", "X-Request-Id": request_id}
        timeout = {"connect": CONNECT_TIMEOUT}
        request = httpx.Request(
            "POST",
            self._chat_url,
            content=body,
            headers=self._headers | headers,
            extensions={"timeout": timeout},
        )
        response = await self.transport.handle_async_request(request)
        response.request = request
        return response

    @cached_property
    def http(self) -> httpx.AsyncClient:
        """The client for everything else."""
        return httpx.AsyncClient(headers=self._headers, transport=self.transport)

    async def aclose(self) -> None:
        """Close the connections."""
        if "transport" in self.__dict__:
            await self.transport.aclose()

    async def models(self) -> list[Entry]:
        """Return the models served. Raises `ModelError`."""
        data = (await self.ask("GET", "/v1/models")).get("data")
        entries = [e for e in data if isinstance(e, dict)] if isinstance(data, list) else []
        if not entries:
            raise ModelError("infra", f"The server at {self.base_url} serves no model.")
        return entries

    async def model(self, name: str | None) -> tuple[str, Entry]:
        """Return the model of that name, or the first one. Raises `ModelError`."""
        entries = {str(entry.get("id")): entry for entry in await self.models()}
        name = name or next(iter(entries))
        if name not in entries:
            served = ", ".join(entries)
            raise ModelError(
                "refused", f"The server does not serve {name!r}; it serves {served}: set SII_MODEL."
            )
        return name, entries[name]

    async def version(self) -> str | None:
        """Return vLLM's version; none of another server."""
        try:
            return str((await self.ask("GET", "/version"))["version"])
        except (ModelError, KeyError):
            return None

    async def metrics(self) -> str:
        """Return the server's own numbers (Prometheus text); empty where it does not tell."""
        try:
            return (await self._ask("GET", "/metrics")).decode("utf-8", "replace")
        except ModelError:
            return ""

    async def tokenize(self, body: dict[str, Any]) -> list[int] | None:
        """Return the ids of a prompt, or of messages as the template renders them; none where the
        server does not tell.
        """
        try:
            ids = (await self.ask("POST", "/tokenize", body)).get("tokens")
        except ModelError:
            return None
        return ids if isinstance(ids, list) else None

    async def detokenize(self, model: str, ids: list[int]) -> str:
        """Return what ids spell. Raises `ModelError` where the server does not tell."""
        said = await self.ask("POST", "/detokenize", {"model": model, "tokens": ids})
        text = said.get("prompt")
        if not isinstance(text, str):
            raise ModelError("infra", f"{self.base_url} does not tell what ids spell.")
        return text

    async def token_ids(self, model: str, tokens: Sequence[str]) -> dict[str, int]:
        """Return the ids of control tokens; nothing where they are none, or are not told."""
        if not tokens:
            return {}
        body = {"model": model, "prompt": "".join(tokens), "add_special_tokens": False}
        ids = await self.tokenize(body)
        return dict(zip(tokens, ids or (), strict=True)) if len(ids or ()) == len(tokens) else {}

    async def ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return what the server says to a request, as an object. Raises `ModelError`."""
        return self._object(await self._ask(method, path, body))

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        try:
            url = self.base_url.removesuffix("/v1") + path
            response = await self.http.request(method, url, json=body, timeout=ASK_TIMEOUT)
        except Exception as error:
            trouble = trouble_of_exception(error, self.base_url)
            if trouble is None:
                raise
            raise ModelError(trouble.fault, trouble.message) from error
        if response.status_code != 200:
            model = str(body.get("model")) if body else ""
            trouble = trouble_of_status(response.status_code, response.content, None, model)
            raise ModelError(trouble.fault, trouble.message)
        return response.content

    def _object(self, content: bytes) -> dict[str, Any]:
        try:
            parsed = orjson.loads(content)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            message = f"What answers at {self.base_url} is no model server: check SII_BASE_URL."
            raise ModelError("refused", message)
        return parsed
