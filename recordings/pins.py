"""What a collection may pin of its sessions, as texts: system prompt, tools, image, sampling."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

PINNED = ("system_prompt", "tools", "image", "sampling")
SAMPLING = ("temperature", "top_p", "max_tokens", "enable_thinking", "keep_reasoning")
"""Settings that choose how the model samples; attempts differ in their seeds."""


def pinned_facts(start: Mapping[str, Any]) -> dict[str, str]:
    """Return what a session has of `PINNED`, from the data of its first event.

    Hashes (SHA-256) of the system prompt and of the tools; of sampling the settings that are set.
    Raises `KeyError`, `TypeError`, `AttributeError` for data that is not of a `session_start`.
    """
    settings = start.get("settings") or {}
    sampling = ((name, settings.get(name)) for name in SAMPLING)
    return {
        "system_prompt": hashlib.sha256(start["system_prompt"].encode()).hexdigest(),
        "tools": str(start["tools_sha256"]),
        "image": str(settings.get("image") or ""),
        "sampling": ", ".join(f"{name}={value}" for name, value in sampling if value is not None),
    }


def read_facts(text: str) -> dict[str, str]:
    """Return the facts that an index keeps; empty for a recording that has none."""
    try:
        facts: dict[str, str] = orjson.loads(text)
    except ValueError:
        return {}
    return facts


def departures(facts: Mapping[str, str], pins: Mapping[str, str]) -> list[str]:
    """Return the names of what differs from the pins."""
    return [name for name in PINNED if name in pins and facts.get(name) != pins[name]]
