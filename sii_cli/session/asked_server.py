"""What the server of a session serves: asked in the background, again after a failure."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sii_cli.config.settings import Settings
from sii_cli.model.ids.choose import choose_wire
from sii_cli.model.types import Model, ServedModel
from sii_cli.session.request_params import request_params


class AskedServer:
    """A model as the settings name it, and the question what its server serves."""

    def __init__(self, settings: Settings, model: Model) -> None:
        self.model = model
        self._settings = settings
        self._asking: asyncio.Task[ServedModel] | None = None

    def ask(self) -> asyncio.Task[ServedModel]:
        """Ask in the background, unless that was done."""
        if self._asking is None:
            self._asking = asyncio.create_task(self._describe())
        return self._asking

    async def served(self) -> ServedModel:
        """Return what the server serves, waiting for its answer. Raises `ModelCallFailed`."""
        asking = self.ask()
        try:
            return await asyncio.shield(asking)
        except Exception:
            self._asking = None
            raise

    async def aclose(self) -> None:
        """Ask no more, and close the connections."""
        if self._asking is not None:
            self._asking.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._asking
        await self.model.aclose()

    async def _describe(self) -> ServedModel:
        served = await self.model.describe()
        kwargs = request_params(self._settings, served).get("chat_template_kwargs", {})
        return await choose_wire(self._settings, served, self.model, kwargs)
