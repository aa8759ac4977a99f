"""Chooses how prompts are sent to a server: as ids where that is proved, else as messages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sii_cli.config.settings import Settings
from sii_cli.model.errors import ModelCallRefused
from sii_cli.model.types import Model, ServedModel

if TYPE_CHECKING:
    from sii_cli.model.ids.wire import IdsWire

NO_TOKENIZER = "no tokenizer is set: set `tokenizer` to the model's folder or its tokenizer.json"
NO_LENGTH = "the server does not tell its context length"
NO_IDS = "the server does not accept prompts as ids, or returns none (vLLM from 0.10.2 on does)"


async def choose_wire(
    settings: Settings, served: ServedModel, model: Model, kwargs: dict[str, Any]
) -> ServedModel:
    """Return the served model with the wire to it, or with the reason for messages.

    `kwargs` are the template's arguments. Raises `ModelCallRefused` where the settings ask for ids
    and they cannot be used.
    """
    if settings.wire == "messages":
        return replace(served, why_messages="the setting `wire` says messages")
    found = await _prove(settings, served, model, kwargs)
    if not isinstance(found, str):
        return replace(served, wire=found)
    if settings.wire == "ids":
        raise ModelCallRefused("bad_request", f"Prompts cannot be sent as ids: {found}.")
    return replace(served, why_messages=found)


async def _prove(
    settings: Settings, served: ServedModel, model: Model, kwargs: dict[str, Any]
) -> IdsWire | str:
    """Return the wire, or why there is none."""
    if settings.tokenizer is None:
        return NO_TOKENIZER
    if served.context_length is None:
        return NO_LENGTH
    from sii_cli.model.ids.prove import prove_wire, render_front  # tokenizers is slow to import

    retain = None if settings.keep_reasoning == "auto" else settings.keep_reasoning
    wire = await prove_wire(model.render, served.name, settings.tokenizer, kwargs, retain)
    if isinstance(wire, str):
        return wire
    front = await render_front(model.render, served.name, "S", [], kwargs)
    return wire if front is not None and await model.takes_ids(front) else NO_IDS
