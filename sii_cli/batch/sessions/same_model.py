"""Refuses to resume a batch with servers of another model."""

from __future__ import annotations

from collections.abc import Iterable

from sii_cli.assembly import make_model
from sii_cli.batch.plan.plan import Attempt
from sii_cli.batch.sessions.served_model import ModelPin
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.errors import UsageError
from sii_cli.model.errors import ModelCallFailed


async def refuse_another_model(parts: SessionParts, attempts: Iterable[Attempt]) -> None:
    """Raise `UsageError` when servers answer with another model than the recorded sessions had.

    Servers that do not answer are waited for later.
    """
    if not parts.served:
        return
    varied = {attempt.variant.get("model"): attempt for attempt in attempts}
    for name, attempt in varied.items():
        model = make_model(parts.settings_of(attempt, parts.settings.home))
        try:
            served = await model.describe()
        except ModelCallFailed:
            continue
        finally:
            await model.aclose()
        try:
            ModelPin(parts.served).check(name, served)
        except ModelCallFailed as error:
            raise UsageError(str(error)) from None
