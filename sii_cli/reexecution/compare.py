"""Compares what a call returned when it was recorded with what it returns now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.snapshots.text_diff import unified_diff
from sii_cli.reexecution.rules import Rule, apply_all, needed

Verdict = Literal["identical", "equal", "different"]

MAX_NORMALISED = 1 << 20
"""Characters of a text to which rules are applied; a longer one is compared as it is."""
MAX_DIFF = 20_000
"""Characters of a diff that are kept."""


@dataclass(frozen=True, slots=True)
class ComparedObservation:
    """What is compared of an observation."""

    text: str
    error: str | None = None
    exit_code: int | None = None
    full: str | None = None
    """The whole output, where `text` does not hold it."""
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two observations of a call compare."""

    verdict: Verdict
    rules: tuple[str, ...] = ()
    """Names of the rules without which they would differ."""
    differs: tuple[str, ...] = ()
    """What differs: text, exit_code, error, full, changed."""
    diff: str = ""
    """Of the texts, after all rules: unified, from the recorded one to the one of now."""


def compare(
    call: str, before: ComparedObservation, now: ComparedObservation, rules: Sequence[Rule]
) -> Comparison:
    """Compare observations of a call, which is given as text: tool and arguments."""
    fitting = [rule for rule in rules if rule.fits(call, before.error)]
    differs = [
        name
        for name in ("error", "exit_code", "changed")
        if getattr(before, name) != getattr(now, name)
    ]
    used: dict[str, None] = {}
    for name in ("text", "full"):
        texts = (getattr(before, name) or "", getattr(now, name) or "")
        found = _needed(fitting, texts)
        if found is None:
            differs.append(name)
        else:
            used |= dict.fromkeys(rule.name for rule in found)
    if not differs:
        return Comparison("equal" if used else "identical", tuple(used))
    return Comparison("different", tuple(used), tuple(differs), _diff(fitting, before, now))


def _needed(rules: Sequence[Rule], texts: tuple[str, str]) -> tuple[Rule, ...] | None:
    if texts[0] == texts[1]:
        return ()
    return None if max(map(len, texts)) > MAX_NORMALISED else needed(rules, texts)


def _diff(rules: Sequence[Rule], before: ComparedObservation, now: ComparedObservation) -> str:
    """Show lines in the order they came in; of an output that was shortened, all of it."""
    ordered = [rule for rule in rules if rule.kind != "unordered"]
    texts = apply_all(ordered, (before.text, now.text))
    diff = unified_diff(f"{texts[0]}\n", f"{texts[1]}\n", "observation")
    if not diff and before.full and now.full:
        diff = unified_diff(before.full[:MAX_NORMALISED], now.full[:MAX_NORMALISED], "output")
    diff = diff.replace("--- a/", "--- recorded/", 1).replace("+++ b/", "+++ now/", 1)
    return diff if len(diff) <= MAX_DIFF else diff[:MAX_DIFF] + "\n… the rest is left out\n"
