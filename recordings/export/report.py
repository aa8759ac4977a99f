"""The figures of an export, for the manifest and for the card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from recordings.export.files import WrittenFile
from recordings.samples.sample import LeftOut, Sample

_SHORT = 8
"""Digits of a hash that are shown."""


@dataclass(slots=True)
class ExportReport:
    """What an export contains, counted while it is written."""

    recordings: list[dict[str, Any]] = field(default_factory=list)
    """Every recording: id, hash, split, samples."""
    uncounted: int = 0
    """Reviews of the recordings that do not count, because this home did not write them."""
    prompts: Counter[str] = field(default_factory=Counter)
    """Exported recordings by the hashes of their system prompt and tools."""
    departures: Counter[str] = field(default_factory=Counter)
    """Exported recordings that differ from the collection's pins, by what differs."""
    files: list[WrittenFile] = field(default_factory=list)
    samples: int = 0
    rows: int = 0
    steps: int = 0
    """Trained model calls."""
    lengths: list[int] = field(default_factory=list)
    """Number of ids of each sample that has ids."""
    trained: int = 0
    """Trained ids."""
    left_out: Counter[str] = field(default_factory=Counter)
    """By reason."""
    rendered: int = 0
    """Samples whose ids were rendered from messages."""
    compared: int = 0
    """Samples with ids of the server that were also rendered."""
    drift: list[tuple[str, int]] = field(default_factory=list)
    """Those that were rendered differently, with the place of the first id that differs."""
    over_length: list[tuple[str, int]] = field(default_factory=list)
    """Samples over the limit, with their number of ids."""
    near: list[tuple[str, str, float]] = field(default_factory=list)
    """Near-duplicates: the sample, the similar one, the similarity."""
    tools: Counter[str] = field(default_factory=Counter)
    """Calls in trained steps."""
    models: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    data: Counter[str] = field(default_factory=Counter)
    """Samples by data set: its name, the beginning of its hash, its licence."""

    def add(self, sample: Sample, license_name: str) -> None:
        """Count a sample that was written."""
        self.samples += 1
        self.rendered += sample.rendered
        self.steps += len(sample.keys)
        if sample.ids:
            self.lengths.append(len(sample.ids))
            self.trained += sample.trained
        self.models[sample.model] += 1
        self.licenses[license_name] += 1
        for one in sample.data:
            named = one.license or "licence not known"
            self.data[f"{one.name} {one.sha256[:_SHORT]} ({named})"] += 1
        for turn in sample.turns:
            if turn.trained:
                calls = turn.message.get("tool_calls", ())
                self.tools.update(call["function"]["name"] for call in calls)

    def leave_out(self, left_out: LeftOut) -> None:
        """Count something that is left out."""
        self.left_out[left_out.reason] += 1


def short_hashes(facts: Mapping[str, str]) -> str:
    """Return the beginnings of the hashes of a session's system prompt and tools."""
    prompt, tools = (facts.get(name, "")[:_SHORT] for name in ("system_prompt", "tools"))
    return f"prompt {prompt} tools {tools}"


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return minimum, mean and maximum of some values; empty without values."""
    if not values:
        return {}
    return {"min": min(values), "mean": round(fmean(values), 1), "max": max(values)}
