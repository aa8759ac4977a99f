"""What the settings, the server and the model's profile say of the context."""

from __future__ import annotations

from sii_cli.agent.context.budget import ContextBudget, context_length
from sii_cli.agent.context.compaction import ModelContext
from sii_cli.agent.context.tokens import make_counter
from sii_cli.config.settings import Settings
from sii_cli.model.types import Model, ServedModel
from sii_cli.session.request_params import served_profile


async def make_context(settings: Settings, served: ServedModel, model: Model) -> ModelContext:
    """Return the context of a session with this model."""
    counter, counted_by = await make_counter(settings.tokenizer, model)
    length = context_length(
        settings.context_length, served.context_length, served_profile(served).context_length
    )
    return ModelContext(
        budget=ContextBudget(length, settings.max_tokens),
        counter=counter,
        counted_by=counted_by,
        compact=settings.compact,
    )
