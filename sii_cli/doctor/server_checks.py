"""The checks of a model server's responses: each ok, or with its remedy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from sii_cli.model.profiles import UNKNOWN, Profile
from sii_cli.model.types import Completion, RequestFailed, ServedModel

TEXT = 'naïve 日本 "quoted"'
TAGS = [1, {}]
"""What the model is asked to pass: other alphabets and quotes, values within values."""
Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class DoctorCheck:
    """What one check found."""

    name: str
    status: Status
    found: str
    remedy: str = ""
    endpoint: str = ""
    """The server that was checked, where there are several."""


def known(profile: Profile) -> DoctorCheck:
    """Check whether a profile fits the model."""
    if profile.name == UNKNOWN:
        found = "no profile fits its name: its parsers and its form of calls are not known"
        return DoctorCheck("profile", "warn", found, "add one in models.toml")
    return DoctorCheck("profile", "ok", "; ".join((profile.name, *profile.traps)))


def version(served: ServedModel) -> DoctorCheck:
    """Report which server it is."""
    version = served.details.get("version")
    if version is None:
        return DoctorCheck("version", "warn", "not vLLM, or behind a proxy", "ids may be missing")
    return DoctorCheck("version", "ok", f"vLLM {version}")


def context(served: ServedModel, profile: Profile) -> DoctorCheck:
    """Check whether the whole context can be used."""
    length = served.context_length
    if length is None:
        return DoctorCheck("context", "warn", "the server does not tell its context length")
    if profile.context_length and length < profile.context_length:
        found = f"{length} tokens of the {profile.context_length} that {profile.name} can hold"
        return DoctorCheck("context", "warn", found, "--max-model-len, if the memory allows it")
    return DoctorCheck("context", "ok", f"{length} tokens")


def wire(served: ServedModel) -> DoctorCheck:
    """Report how prompts are sent, and why not as ids."""
    if served.wire is None:
        return DoctorCheck(
            "wire",
            "warn",
            f"messages: {served.why_messages}",
            "as messages, part of what the model generates goes back differently",
        )
    kept = {"template": "dropped", "loop": "dropped between rounds", "all": "kept"}
    found = f"ids, in the form of {served.wire.form.name}; "
    return DoctorCheck("wire", "ok", f"{found}earlier reasoning is {kept[served.wire.retain]}")


def ids(done: Completion) -> DoctorCheck:
    """Check whether the ids are there, and as many as counted."""
    if "ids_missing" in done.flags:
        return DoctorCheck(
            "token ids", "fail", "none", "use vLLM 0.10.2 or later (return_token_ids)"
        )
    if {"ids_count_differs", "prompt_ids_count_differs"} & set(done.flags):
        return DoctorCheck("token ids", "fail", "their number is not the usage's", "update vLLM")
    return DoctorCheck("token ids", "ok", "prompt and generated, as many as the usage says")


def usage(done: Completion) -> DoctorCheck:
    """Check whether tokens are counted."""
    if done.usage is None:
        return DoctorCheck("usage", "fail", "missing", "update the server")
    return DoctorCheck(
        "usage", "ok", f"{done.usage.prompt_tokens} + {done.usage.completion_tokens}"
    )


def stop(done: Completion) -> DoctorCheck:
    """Check whether a response ends on its stop token."""
    if not done.complete:
        return DoctorCheck("stop", "warn", f"the answer was cut off ({done.finish_reason})")
    if isinstance(done.stop_reason, int) and (done.generated_ids or [-1])[-1] != done.stop_reason:
        found = f"the ids do not end with the stop token {done.stop_reason}"
        return DoctorCheck("stop", "fail", found, "update vLLM")
    if done.stop_reason is None:
        return DoctorCheck("stop", "ok", f"{done.finish_reason}, on the end-of-text token")
    return DoctorCheck("stop", "ok", f"{done.finish_reason}, on token {done.stop_reason}")


def reasoning(done: Completion, profile: Profile) -> DoctorCheck:
    """Check whether the reasoning is apart from the content."""
    if "<think>" in (done.content or "") or "</think>" in (done.content or ""):
        return DoctorCheck("reasoning", "fail", "within the content", profile.reasoning_flags)
    return DoctorCheck("reasoning", "ok", "apart from the content" if done.reasoning else "none")


def cache(done: Completion | RequestFailed) -> DoctorCheck:
    """Check whether a prompt sent twice is read once."""
    if isinstance(done, RequestFailed):
        return DoctorCheck("prefix cache", "fail", str(done.failure))
    cached = done.usage.cached_tokens if done.usage else None
    if cached is None:
        return DoctorCheck("prefix cache", "warn", "not told", "--enable-prompt-tokens-details")
    if not cached:
        return DoctorCheck("prefix cache", "warn", "nothing was kept", "--enable-prefix-caching")
    return DoctorCheck("prefix cache", "ok", f"{cached} tokens of a prompt sent twice")


def call_count(
    name: str, done: Completion | RequestFailed, wanted: int, profile: Profile
) -> DoctorCheck:
    """Check whether as many calls are parsed as were asked for."""
    if isinstance(done, RequestFailed):
        return DoctorCheck(name, "fail", str(done.failure))
    if "call_not_parsed" in done.flags:
        return DoctorCheck(name, "fail", "a call was made and not parsed", profile.tool_flags)
    if len(done.calls) != wanted:
        return DoctorCheck(name, "warn", f"the model made {len(done.calls)}, asked for {wanted}")
    bad = [call for call in done.calls if _object(call.arguments) is None]
    if bad:
        return DoctorCheck(
            name, "fail", f"arguments that are not an object: {bad[0].arguments[:60]!r}"
        )
    return DoctorCheck(
        name, "ok", ", ".join(call.arguments[:60] for call in done.calls) or "none made"
    )


def unicode(done: Completion) -> DoctorCheck:
    """Check whether a text of other alphabets arrives in a call."""
    return _argument("unicode", done, "text", TEXT)


def nested(done: Completion) -> DoctorCheck:
    """Check whether values within values arrive in a call, as values."""
    return _argument("nested", done, "tags", TAGS)


def _argument(name: str, done: Completion, key: str, wanted: Any) -> DoctorCheck:
    value = (_object(done.calls[0].arguments) or {}).get(key)
    if value == wanted:
        return DoctorCheck(name, "ok", f"{value!r} arrives as it was asked for")
    if isinstance(value, str) and not isinstance(wanted, str):
        return DoctorCheck(
            name, "fail", f"a value arrives as text: {value!r:.60}", "see the tool parser"
        )
    return DoctorCheck(name, "warn", f"the model passed {value!r:.60}, asked for {wanted!r}")


def _object(arguments: str) -> dict[str, Any] | None:
    with suppress(orjson.JSONDecodeError):
        parsed = orjson.loads(arguments)
        return parsed if isinstance(parsed, dict) else None
    return None
