"""Opens a session for a program, from settings or from values by name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sandbox.protocol import SandboxBackend
from sii_cli.agent.permissions import Permit
from sii_cli.config.load import load_settings
from sii_cli.config.settings import Settings
from sii_cli.model.types import Model
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tools.sources import ToolSource


@asynccontextmanager
async def open_session(
    settings: Settings | None = None,
    *,
    model: Model | None = None,
    backend: SandboxBackend | None = None,
    resumed: ResumedRecording | None = None,
    permit: Permit | None = None,
    sources: Sequence[ToolSource] = (),
    **values: Any,
) -> AsyncIterator[Session]:
    """Open a session for a program, and close it in any case.

    Without `settings` they are loaded as a command loads them, with `values` by name over the
    environment and the files: `workspace="project"`, `base_url="http://gpu-box:8000/v1"`. The rest
    is as in `Session.open`. Raises `UsageError` for a wrong setting.
    """
    if settings is None:
        settings = await asyncio.to_thread(load_settings, values, os.environ)
    session = await Session.open(
        settings,
        mode="headless",
        model=model,
        backend=backend,
        resumed=resumed,
        permit=permit,
        sources=sources,
    )
    try:
        yield session
    finally:
        await session.close()
