"""The last check of a recording, as lists, headers and reports show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from recordings.storage.lines import parse_line
from recordings.storage.log import head_of, read_lines

LAST_LINES = 5
_LONGEST_LINE = 300
_LONGEST_COMMAND = 1000
_MOST_REQUIREMENTS = 100


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What a check ran, and how it ended; its texts are cut."""

    command: str
    exit_code: int | None
    passed: bool
    last_lines: tuple[str, ...] = ()
    """Of its output."""
    error: str | None = None
    """Why it could not run."""
    requirements: tuple[tuple[str, bool, str], ...] = ()
    """Name, whether it is met, and why."""
    score: float | None = None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Return what is shown of a `check` event's data. Raises what malformed data raises."""
        exit_code, error, score = data["exit_code"], data.get("error"), data.get("score")
        if not (
            isinstance(exit_code, int | None)
            and isinstance(error, str | None)
            and isinstance(score, int | float | None)
        ):
            raise TypeError("a value of a check has another type")
        return cls(
            command=data["command"][:_LONGEST_COMMAND],
            exit_code=exit_code,
            passed=bool(data["passed"]),
            last_lines=last_lines(data["output"]),
            error=error and error[:_LONGEST_LINE],
            score=score,
            requirements=tuple(
                (one["name"][:_LONGEST_LINE], bool(one["met"]), one["why"][:_LONGEST_LINE])
                for one in (data.get("requirements") or ())[:_MOST_REQUIREMENTS]
            ),
        )

    @property
    def verdict(self) -> str:
        """What it says, in a line."""
        command = " ".join(self.command.split())
        if self.error is not None:
            return f"check could not run ({self.error}): {command}"
        said = "passed" if self.passed else "failed"
        code = "stopped" if self.exit_code is None else f"exit code {self.exit_code}"
        score = "" if self.score is None else f", score {self.score:.2f}"
        return f"check {said} ({code}{score}): {command}"

    @property
    def details(self) -> list[str]:
        """What the verdict comes from: the requirements, then the last lines of the output."""
        judged = [
            f"{'✓' if met else '✗'} {name}{': ' if why else ''}{' '.join(why.split())}"
            for name, met, why in self.requirements
        ]
        return [*judged, *self.last_lines]


def last_lines(output: str, count: int = LAST_LINES) -> tuple[str, ...]:
    """Return the last lines of an output that are not empty, each cut."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    return tuple(line[:_LONGEST_LINE] for line in lines[-count:])


def last_check(folder: Path) -> LastCheck | None:
    """Return the last check of a recording, or `None` where none ran. Raises `UNREADABLE`."""
    found = None
    for line in read_lines(folder):
        if head_of(folder, line).type == "check":
            found = line.text
    return None if found is None else LastCheck.of(parse_line(found)["data"])
