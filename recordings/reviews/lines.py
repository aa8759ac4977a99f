"""The lines of `reviews.jsonl`: what each says, and whose word it is.

Version 1 is a review and its checksum. Version 2 names the session and the key of the home that
wrote it, and ends with that home's proof of all that stands before; besides reviews there are
lines that vouch for the lines before them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import Field

from recordings.errors import MALFORMED, RecordingDamaged, fault_of
from recordings.events import Part
from recordings.reviews.approval import Verdict
from recordings.storage.encoding import encode
from recordings.storage.files import REVIEWS
from recordings.storage.lines import check_line, seal
from recordings.storage.opening import UnexpectedFile, read_file
from recordings.trust.home_key import HomeKey

_LARGEST = 64 << 20
"""Bytes of all reviews of a recording."""
UNSIGNED, SIGNED = 1, 2
"""Versions of a line."""
_PROOF = re.compile(rb',"proof":"([0-9a-f]{64})","sum":"[0-9a-f]{16}"\}\Z')

ReviewOrigin = Literal["own", "foreign", "tampered"]
"""This home wrote it, or vouched for it; somebody else did; it claims this home, and lies."""


class StepReview(Part):
    """What a reviewer says about one event."""

    seq: int
    comment: str = ""
    flag: str | None = None
    exclude: bool | None = None
    """True: not to be trained on; false: taken back; none: nothing said."""


class Review(Part):
    """One reviewer's words at one time."""

    reviewer: str
    """A pseudonym."""
    time: float
    """Seconds since the epoch."""
    sha256: str
    """The recording's hash when it was reviewed."""
    verdict: Verdict | None = None
    note: str = ""
    rubric: dict[str, float | str] = Field(default_factory=dict)
    steps: tuple[StepReview, ...] = ()
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A line of the file."""

    text: bytes
    signed: bool
    origin: ReviewOrigin
    review: Review | None
    """None: it vouches for others."""


def signed_line(session: str, said: Mapping[str, Any], key: HomeKey | None) -> bytes:
    """Return the line that says something about a session, with the proof of the home."""
    if key is None:
        return seal(encode({"v": UNSIGNED, **said})[:-1])[0]
    body = encode({"v": SIGNED, **said, "session": session, "home": key.name})[:-1]
    proof = key.prove("review", session, body)
    return seal(body + b',"proof":"' + proof.encode() + b'"')[0]


def reviewed_lines(folder: Path, key: HomeKey | None) -> list[ReviewLine]:
    """Return the whole lines of a recording's reviews; without a key all are foreign.

    Raises `RecordingDamaged`.
    """
    try:
        content = read_file(folder.parent, folder.name, REVIEWS, most=_LARGEST)
    except FileNotFoundError:
        return []
    except UnexpectedFile as error:
        raise RecordingDamaged(f"{error}.") from None
    lines: list[ReviewLine] = []
    before = hashlib.sha256()
    for number, text in enumerate(content.split(b"\n")[:-1], 1):
        try:
            line, said = _read(text, folder.name, key)
        except MALFORMED as error:
            raise RecordingDamaged(
                f"Line {number} of {folder / REVIEWS} is damaged ({fault_of(error)}): "
                "correct or remove it."
            ) from None
        if line.review is None and line.origin == "own":
            vouched = said["vouches"] == len(lines) and said["before"] == before.hexdigest()
            lines = [_vouched(one, said["for_signed"]) for one in lines] if vouched else lines
        lines.append(line)
        before.update(text + b"\n")
    return lines


def _read(text: bytes, session: str, key: HomeKey | None) -> tuple[ReviewLine, dict[str, Any]]:
    if check_line(text) is None:
        raise ValueError("it is not what was written")
    said: dict[str, Any] = orjson.loads(text)
    del said["sum"]
    version = said.pop("v")
    if version not in (UNSIGNED, SIGNED):
        raise ValueError(f"version {version!r}: upgrade sii to read it")
    origin = _origin(text, said, session, key) if version == SIGNED else "foreign"
    for name in ("session", "home", "proof") if version == SIGNED else ():
        del said[name]
    review = None if "vouches" in said else Review.model_validate(said)
    return ReviewLine(text, version == SIGNED, origin, review), said


def _origin(
    text: bytes, said: Mapping[str, Any], session: str, key: HomeKey | None
) -> ReviewOrigin:
    found = _PROOF.search(text)
    if key is None or found is None or said["home"] != key.name:
        return "foreign"
    body = text[: found.start()]
    return "own" if key.proves(found[1].decode(), "review", session, body) else "tampered"


def _vouched(line: ReviewLine, for_signed: bool) -> ReviewLine:
    if line.origin == "own" or (line.signed and not for_signed):
        return line
    return ReviewLine(line.text, line.signed, "own", line.review)
