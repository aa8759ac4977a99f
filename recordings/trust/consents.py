"""Consents of speakers to what is done with their sessions, in `consents.jsonl` of the home.

A line is an answer or a withdrawal. A withdrawal holds for all work of the speaker, whenever it was
done and whatever is answered later.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from recordings.errors import MALFORMED, UNREADABLE, RecordingError
from recordings.storage.files import failure
from recordings.storage.lines import parse_line
from recordings.storage.log import read_lines
from recordings.storage.opening import read_file
from recordings.trust.append import append_line

CONSENTS = "consents.jsonl"
_LARGEST = 16 << 20
"""Most bytes of the file."""
_CONSENT = b"consent"
RecordedConsent = Literal["refused", "within_team", "not_asked", "given"]
"""`within_team`: it may not leave the team."""
LEAST_FIRST: tuple[RecordedConsent, ...] = ("refused", "within_team", "not_asked", "given")
"""By what they allow."""

TEXT = (
    "Your sessions are recorded in this home, to train and to evaluate models.",
    "They leave this machine only when someone exports or copies them.",
)
QUESTIONS = (
    "May models be trained with your sessions?",
    "May they be given to others than your team?",
    "Under which licence is your part of them?",
)
TEXT_SHA256 = hashlib.sha256("\n".join((*TEXT, *QUESTIONS)).encode()).hexdigest()


class ConsentsUnusable(RecordingError):
    """Raised when the consents of a home cannot be read: nothing is exported then."""


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """What a speaker answered."""

    speaker: str
    training: bool
    leaves_team: bool
    license: str | None
    text_sha256: str
    answered: float
    """Seconds since the epoch."""


def find_consent(home: Path, speaker: str) -> GivenConsent | None:
    """Return the last answer of a speaker, or `None`. Raises `ConsentsUnusable`."""
    answers = [line for line in _lines(home) if line["speaker"] == speaker]
    given = [line for line in answers if not line.get("withdrawn")]
    if not given:
        return None
    last = given[-1]
    names = GivenConsent.__dataclass_fields__
    return GivenConsent(**{name: last[name] for name in names})


def keep_consent(home: Path, given: GivenConsent) -> None:
    """Append an answer. Raises `RecordingFailed`."""
    _append(home, {"v": 1, **asdict(given)})


def withdraw(home: Path, speaker: str) -> None:
    """Append a withdrawal. Raises `RecordingFailed`."""
    _append(home, {"v": 1, "speaker": speaker, "withdrawn": True, "time": round(time.time(), 3)})


def withdrawn(home: Path) -> frozenset[str]:
    """Return the speakers who have withdrawn. Raises `ConsentsUnusable`."""
    return frozenset(line["speaker"] for line in _lines(home) if line.get("withdrawn"))


def refusing(home: Path) -> frozenset[str]:
    """Return the speakers whose last answer refuses training. Raises `ConsentsUnusable`."""
    return frozenset(name for name, line in _last(home).items() if not line.get("training"))


def staying(home: Path) -> frozenset[str]:
    """Return the speakers whose last answer keeps their work in the team.

    Raises `ConsentsUnusable`.
    """
    return frozenset(name for name, line in _last(home).items() if not line.get("leaves_team"))


def _last(home: Path) -> dict[str, dict[str, Any]]:
    """Return the last answer of each speaker."""
    return {line["speaker"]: line for line in _lines(home) if not line.get("withdrawn")}


def recorded_consents(folder: Path) -> dict[str, RecordedConsent]:
    """Return what a recording says of the consent of each of its speakers: their last answer."""
    said: dict[str, RecordedConsent] = {}
    try:
        for line in read_lines(folder):
            if _CONSENT in line.text and (event := parse_line(line.text))["type"] == "consent":
                said[str(event["data"]["speaker"])] = _said(event["data"])
    except (*UNREADABLE, *MALFORMED):
        pass  # reported when its lines are checked
    return said


def _said(data: Mapping[str, Any]) -> RecordedConsent:
    if not data["asked"]:
        return "not_asked"
    if not data["training"]:
        return "refused"
    return "given" if data["leaves_team"] else "within_team"


def _lines(home: Path) -> list[dict[str, Any]]:
    try:
        content = read_file(home, CONSENTS, most=_LARGEST)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ConsentsUnusable(f"{home / CONSENTS} cannot be read: {error}.") from None
    lines = []
    for number, text in enumerate(content.splitlines(), 1):
        try:
            line = orjson.loads(text)
            named = isinstance(line["speaker"], str)
        except (ValueError, LookupError, TypeError):
            named = False
        if not named:
            raise ConsentsUnusable(
                f"Line {number} of {home / CONSENTS} is not a consent: correct it, or restore the "
                "file from a copy."
            )
        lines.append(line)
    return lines


def _append(home: Path, line: dict[str, Any]) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise failure(home / CONSENTS, error) from error
    append_line(home, CONSENTS, line)
