"""What a check may report beside its exit code: a score, and the requirements that it is made of.

The file is written in a sandbox, perhaps by code of the session: it is bounded and decides no more
than the exit code does.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from recordings.errors import describe_malformed
from recordings.events import CheckedRequirement

VARIABLE = "SII_CHECK_REPORT"
"""The environment variable that names the file."""
LARGEST = 256 << 10
"""Bytes."""


class MalformedReport(Exception):
    """Raised when a report is not what is documented; the message says why, in a few words."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Requirement(_Part):
    name: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    met: bool
    why: Annotated[str, StringConstraints(max_length=2000)] = ""


class CheckReport(_Part):
    """The content of the file. Without `score`, it is the share of requirements that are met."""

    score: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    requirements: Annotated[list[_Requirement], Field(min_length=1, max_length=200)] | None = None

    @property
    def share(self) -> float:
        """The score, given or counted."""
        if self.score is not None:
            return self.score
        assert self.requirements is not None
        return sum(one.met for one in self.requirements) / len(self.requirements)

    @property
    def recorded(self) -> list[CheckedRequirement] | None:
        """The requirements as an event has them."""
        if self.requirements is None:
            return None
        return [CheckedRequirement(**one.model_dump()) for one in self.requirements]


def read_report(content: bytes) -> CheckReport:
    """Read a report. Raises `MalformedReport`."""
    try:
        report = CheckReport.model_validate(_parsed(content))
    except ValidationError as error:
        raise MalformedReport(describe_malformed(error)) from None
    if report.score is None and report.requirements is None:
        raise MalformedReport("it has neither `score` nor `requirements`")
    return report


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(content)  # which refuses NaN
    except orjson.JSONDecodeError as error:
        raise MalformedReport(f"it is not JSON ({error})") from None
    if not isinstance(parsed, dict):
        raise MalformedReport("it is not a JSON object")
    return parsed
