"""The rubric of a protocol: the questions that a reviewer answers, from a JSON Schema.

`[rubric]` of `review.toml` is the schema of an object. Of a property's schema these words are read:
`enum` makes a choice, `type` `integer` or `number` with `minimum` and `maximum` a scale, `type`
`string` a text; `citations` says that a text names steps, `weights` that agreement is weighted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from recordings.reviews.protocol import LONGEST_NAME

if TYPE_CHECKING:
    from recordings.reviews.agreement import Scale, Weights
    from recordings.reviews.review import RubricAnswer

_MOST_QUESTIONS = 50
_MOST_CHOICES = 50
_LONGEST_TEXT = 2000
_KNOWN = frozenset(
    {"title", "description", "type", "enum", "minimum", "maximum", "citations", "weights"}
)


class RubricUnusable(ValueError):
    """Raised when a rubric is not a schema of questions; `place` names the table and the key."""

    def __init__(self, why: str, *place: str) -> None:
        super().__init__(why)
        self.place = place


class AnswerUnusable(ValueError):
    """Raised when an answer does not fit its question."""


@dataclass(frozen=True, slots=True)
class RubricQuestion:
    """A question of the rubric."""

    name: str
    """By which answers are kept."""
    kind: Literal["choice", "scale", "text"]
    title: str = ""
    """What is shown, if it is not the name."""
    help: str = ""
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    whole: bool = False
    """Whether a scale has whole numbers alone."""
    required: bool = False
    cites: bool = False
    """Whether a text names the steps that it is about."""
    weights: Weights = "identity"

    @property
    def scale(self) -> Scale:
        """How far apart answers are."""
        if self.kind != "scale":
            return "nominal"
        return "ordinal" if self.whole else "interval"

    def answer(self, said: str, cites: tuple[int, ...] = ()) -> RubricAnswer:
        """Return what a person typed as an answer. Raises `AnswerUnusable`."""
        from recordings.reviews.review import RubricAnswer

        if self.kind == "scale":
            return RubricAnswer(kind="scale", value=self._number(said), cites=cites)
        if self.kind == "choice" and said not in self.choices:
            raise AnswerUnusable(f"one of {', '.join(self.choices)}")
        return RubricAnswer(kind=self.kind, value=said, cites=cites)

    @property
    def limits(self) -> str:
        """The ends of a scale that has both, in words; else empty."""
        if self.least is None or self.most is None:
            return ""
        return f"{self.least:g} to {self.most:g}"

    def _number(self, said: str) -> float:
        wanted = "a whole number" if self.whole else "a number"
        if self.limits:
            wanted += f" from {self.limits}"
        try:
            number = float(said)
        except ValueError:
            raise AnswerUnusable(wanted) from None
        low = -math.inf if self.least is None else self.least
        high = math.inf if self.most is None else self.most
        is_kind = math.isfinite(number) and (not self.whole or number.is_integer())
        if not (is_kind and low <= number <= high):
            raise AnswerUnusable(wanted)
        return number


def read_rubric(schema: object) -> tuple[RubricQuestion, ...]:
    """Return the questions of a schema, in its order. Raises `RubricUnusable`."""
    if not isinstance(schema, dict) or schema.get("type", "object") != "object":
        raise RubricUnusable('rubric wants a schema of the type "object"', "rubric")
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not isinstance(properties, dict) or len(properties) > _MOST_QUESTIONS:
        raise RubricUnusable(f"rubric.properties wants at most {_MOST_QUESTIONS} tables", "rubric")
    if not isinstance(required, list) or not all(name in properties for name in required):
        raise RubricUnusable("rubric.required wants names of properties", "rubric", "required")
    for name in schema.keys() - {"type", "properties", "required", "title", "description"}:
        raise RubricUnusable(f"rubric: {name!r} is not a word that is read", "rubric", name)
    return tuple(_question(name, facts, name in required) for name, facts in properties.items())


def _question(name: str, facts: object, required: bool) -> RubricQuestion:
    where = f"rubric question {name!r}"
    if not isinstance(facts, dict) or not 0 < len(name) <= LONGEST_NAME:
        raise RubricUnusable(f"{where} wants a table, and at most 200 characters", name)
    for key in facts.keys() - _KNOWN:
        raise RubricUnusable(f"{where}: {key!r} is not one of {', '.join(sorted(_KNOWN))}", key)
    title, text = _text(where, facts, "title"), _text(where, facts, "description")
    weights = facts.get("weights", "identity")
    if weights not in ("identity", "quadratic"):
        raise RubricUnusable(f'{where}: weights wants "identity" or "quadratic"', name, "weights")
    asked: dict[str, Any] = {"title": title, "help": text, "required": required}
    if "enum" in facts:
        return RubricQuestion(name, "choice", choices=_choices(where, name, facts["enum"]), **asked)
    match facts.get("type"):
        case "integer" | "number" as kind:
            least, most = (_bound(where, name, facts, key) for key in ("minimum", "maximum"))
            if least is not None and most is not None and least >= most:
                raise RubricUnusable(f"{where}: minimum is not below maximum", name, "minimum")
            limits = {"least": least, "most": most, "whole": kind == "integer"}
            return RubricQuestion(name, "scale", weights=weights, **limits, **asked)
        case "string":
            return RubricQuestion(name, "text", cites=facts.get("citations") is True, **asked)
    raise RubricUnusable(f'{where} wants enum, or type "integer", "number" or "string"', name)


def _choices(where: str, name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list) and 2 <= len(value) <= _MOST_CHOICES:
        words = [one for one in value if isinstance(one, str) and 0 < len(one) <= LONGEST_NAME]
        if len(set(words)) == len(value):
            return tuple(words)
    raise RubricUnusable(f"{where}: enum wants 2 to {_MOST_CHOICES} different words", name, "enum")


def _bound(where: str, name: str, facts: Mapping[str, object], key: str) -> float | None:
    value = facts.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise RubricUnusable(f"{where}: {key} wants a number", name, key)
    return float(value)


def _text(where: str, facts: Mapping[str, object], key: str) -> str:
    value = facts.get(key, "")
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise RubricUnusable(f"{where}: {key} wants at most {_LONGEST_TEXT} characters", key)
    return value
