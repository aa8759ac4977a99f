"""Rules: what may differ between two runs of a call (`rules.toml` explains them)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recordings.errors import UNPARSABLE, why_unparsable
from recordings.storage.opening import read_given
from sii_cli.errors import UsageError

Texts = tuple[str, str]
"""The recorded text and the one of now."""

_LARGEST = 1 << 20
"""Bytes of a file of rules."""
_MASKED_LINES = 200
"""Lines with something masked that are looked for in the other text."""
_MASKS = 5
"""Masks in one line; each could be of any length."""


class _RuleTable(BaseModel):
    """One `[[rule]]` of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    says: str = ""
    kind: Literal["replace", "unordered", "prefix", "masked", "files"] = "replace"
    pattern: str | None = None
    with_: str = Field("<…>", alias="with")
    when: str | None = None
    error: str | None = None

    @field_validator("pattern", "when")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                re.compile(value)
            except re.error as error:
                raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _has_a_pattern(self) -> _RuleTable:
        if (self.kind in ("replace", "masked", "files")) != (self.pattern is not None):
            raise ValueError(f"a rule of kind {self.kind!r} has a pattern where it needs one, only")
        return self


class _RulesFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: list[_RuleTable] = []


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may differ."""

    name: str
    kind: Literal["replace", "unordered", "prefix", "masked", "files"]
    pattern: re.Pattern[str]
    replacement: str = ""
    when: re.Pattern[str] | None = None
    error: str | None = None

    def fits(self, call: str, error: str | None) -> bool:
        """Whether the rule is for a call (tool and arguments as text) that ended so."""
        if self.kind == "files" or (self.error is not None and self.error != error):
            return False
        return self.when is None or self.when.search(call) is not None

    def apply(self, texts: Texts) -> Texts:
        """Return both texts without what the rule lets differ."""
        before, now = texts
        match self.kind:
            case "replace":
                sub = self.pattern.sub
                return sub(self.replacement, before), sub(self.replacement, now)
            case "unordered":
                return _sorted(before), _sorted(now)
            case "prefix":
                return _as_far_as_both(before, now)
            case "files":
                return texts
            case "masked":
                return before, _mask_as(before, now, self.pattern)


def load_rules(files: Iterable[Path] = ()) -> tuple[Rule, ...]:
    """Return the rules of the files, then those shipped; of a name the first counts.

    Raises `UsageError`.
    """
    shipped = resources.files(__package__).joinpath("rules.toml").read_text("utf-8")
    rules: dict[str, Rule] = {}
    for table in [*(table for file in files for table in _read(file)), *_parse(shipped)]:
        rules.setdefault(table.name, _rule(table))
    return tuple(rules.values())


def apply_all(rules: Sequence[Rule], texts: Texts) -> Texts:
    """Apply rules in their order."""
    for rule in rules:
        texts = rule.apply(texts)
    return texts


def needed(rules: Sequence[Rule], texts: Texts) -> tuple[Rule, ...] | None:
    """Return the rules without which two texts would differ; None: they differ.

    Earlier rules are preferred to later ones that would do as well.
    """
    if texts[0] == texts[1]:
        return ()
    left = [rule for rule in rules if rule.kind != "replace" or _touches(rule, texts)]
    before, now = apply_all(left, texts)
    if before != now:
        return None
    for rule in reversed(left):
        fewer = [other for other in left if other is not rule]
        before, now = apply_all(fewer, texts)
        if before == now:
            left = fewer
    return tuple(left)


def _touches(rule: Rule, texts: Texts) -> bool:
    return any(rule.pattern.search(text) for text in texts)


def _read(path: Path) -> list[_RuleTable]:
    try:
        return _parse(read_given(path, _LARGEST).decode())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"The rules in {path} do not fit: {where}: {first['msg']}.") from None
    except (OSError, *UNPARSABLE) as error:
        raise UsageError(f"The rules in {path} cannot be read: {why_unparsable(error)}.") from None


def _parse(text: str) -> list[_RuleTable]:
    return _RulesFile.model_validate(tomllib.loads(text)).rule


def _rule(table: _RuleTable) -> Rule:
    return Rule(
        name=table.name,
        kind=table.kind,
        pattern=re.compile(table.pattern or "", re.MULTILINE),
        replacement=table.with_,
        when=re.compile(table.when, re.MULTILINE) if table.when is not None else None,
        error=table.error,
    )


def _sorted(text: str) -> str:
    return "\n".join(sorted(text.split("\n")))


def _as_far_as_both(before: str, now: str) -> Texts:
    """The last line says how it ended; what stands above may go on in one of them."""
    (one, _, end), (other, _, other_end) = before.rpartition("\n"), now.rpartition("\n")
    goes_on = one.startswith(other) or other.startswith(one)
    return (before, before) if end == other_end and goes_on else (before, now)


def _mask_as(before: str, now: str, pattern: re.Pattern[str]) -> str:
    """Put each recorded line with something masked in place of a line now that fits it."""
    masked = [line for line in before.split("\n") if pattern.search(line)][:_MASKED_LINES]
    lines = now.split("\n")
    for line in masked:
        parts = pattern.sub("\0", line).split("\0")
        if len(parts) > _MASKS + 1:
            continue
        others = enumerate(lines)
        place = next((i for i, other in others if _fits(other, parts) and other != line), None)
        if place is not None:
            lines[place] = line
    return "\n".join(lines)


def _fits(line: str, parts: Sequence[str]) -> bool:
    """Whether a line consists of the parts in their order, with something between any two."""
    if len(parts) == 1:
        return line == parts[0]
    first, *middle, last = parts
    end = len(line) - len(last)
    if not (line.startswith(first) and line.endswith(last)):
        return False
    at = len(first)
    for part in middle:
        at = line.find(part, at + 1, end)
        if at < 0:
            return False
        at += len(part)
    return at < end
