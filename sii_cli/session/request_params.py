"""The fields of every request's body: from the settings, else from the model's profile."""

from __future__ import annotations

from typing import Any

from sii_cli.config.settings import Settings
from sii_cli.model.profiles import Profile, profile_of
from sii_cli.model.types import STREAMING, ServedModel


def request_params(settings: Settings, served: ServedModel) -> dict[str, Any]:
    """Return every field but `messages` and `tools`.

    What neither the settings nor the profile say is left to the server, which uses the model's own
    `generation_config.json`.
    """
    profile = served_profile(served)
    set_here = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_tokens,
        "seed": settings.seed,
    }
    params = {"model": served.name, **STREAMING, **(profile.sampling or {})}
    params |= {name: value for name, value in set_here.items() if value is not None}
    if settings.record_logprobs:
        params["logprobs"] = True
    if served.stop_token_ids:
        params["stop_token_ids"] = list(served.stop_token_ids)
    arguments = _template_arguments(settings, profile)
    if arguments:
        params["chat_template_kwargs"] = arguments
    return params


def params_notes(settings: Settings, served: ServedModel) -> list[str]:
    """Return a sentence for each setting that has no effect on the served model."""
    profile = served_profile(served)
    notes = []
    if settings.enable_thinking is False and profile.thinking_off == {}:
        notes.append(f"{profile.name} always thinks: enable_thinking does nothing.")
    if settings.keep_reasoning == "all" and not profile.keep_reasoning and served.wire is None:
        what = f"The template of {profile.name} has no switch for it that is known"
        notes.append(f"{what}: keep_reasoning does nothing.")
    if settings.wire == "auto" and settings.tokenizer is not None and served.why_messages:
        notes.append(f"Prompts are sent as messages: {served.why_messages}.")
    return notes


def served_profile(served: ServedModel) -> Profile:
    """Return what is known of a served model. Raises `ModelCallFailed`."""
    entry = served.details.get("entry") or {}
    return profile_of(served.name, str(entry.get("root") or ""))


def _template_arguments(settings: Settings, profile: Profile) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if settings.enable_thinking:
        arguments["enable_thinking"] = True
    elif settings.enable_thinking is False:
        arguments |= {"enable_thinking": False} if profile.thinking_off is None else {}
        arguments |= profile.thinking_off or {}
    if settings.keep_reasoning == "all" and profile.keep_reasoning:
        arguments |= profile.keep_reasoning
    return arguments
