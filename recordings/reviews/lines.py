"""The lines of `reviews.jsonl`: what each says, and who wrote it.

Version 1 is a review and its checksum. Version 2 names the session and the key of the home that
wrote it, and ends with that home's proof of everything before; there are also lines that vouch for
the lines before them. Version 3 has the person's signature before the proof.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import Field

from recordings.errors import MALFORMED, RecordingDamaged, describe_malformed
from recordings.events import EventPart
from recordings.reviews.approval import Verdict
from recordings.reviews.keys import ReviewKeys
from recordings.storage.encoding import encode
from recordings.storage.files import REVIEWS
from recordings.storage.lines import check_line, seal
from recordings.storage.opening import UnexpectedFile, read_file
from recordings.trust.home_key import HomeKey
from recordings.trust.person_key import PersonKey, is_signed_by

_LARGEST = 64 << 20
"""Most bytes of the reviews of a recording."""
MOST_LINES = 2000
"""Of a recording: checking the signatures of as many takes less than a second."""
UNPROVED, PROVED, SIGNED = 1, 2, 3
"""Versions of a line."""
_ENDS: dict[int, tuple[str, ...]] = {
    UNPROVED: (),
    PROVED: ("session", "home", "proof"),
    SIGNED: ("session", "home", "signature", "proof"),
}
"""Keys of a line that prove it, by version."""
_PROOF = re.compile(rb',"proof":"([0-9a-f]{64})","sum":"[0-9a-f]{16}"\}\Z')
_SIGNATURE = re.compile(rb',"signature":"([0-9a-f]{128})"\Z')

ReviewOrigin = Literal["own", "person", "foreign", "unsigned", "tampered"]
"""`own`: this home wrote it, or vouched for it; `person`: the named person signed it; `unsigned`:
it names a person whose key is known, without a valid signature; `tampered`: it names this home,
with a wrong proof; `foreign`: any other."""
COUNTED: frozenset[ReviewOrigin] = frozenset({"own", "person"})
"""Origins of the reviews that count."""


class StepReview(EventPart):
    """What a reviewer says about one event."""

    seq: int
    comment: str = ""
    flag: str | None = None
    exclude: bool | None = None
    """True excludes it from training, false takes that back, `None` says nothing."""


class Review(EventPart):
    """What one reviewer said of a recording at one time."""

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
    proved: bool
    """Whether it ends with the proof of a home."""
    origin: ReviewOrigin
    review: Review | None
    """`None` for a line that vouches for others."""


def proved_line(
    session: str, said: Mapping[str, Any], key: HomeKey | None, person: PersonKey | None = None
) -> bytes:
    """Return a line about a session, with the proof of the home and the signature of the person.

    Without a key it has neither.
    """
    if key is None:
        return seal(encode({"v": UNPROVED, **said})[:-1])[0]
    version = PROVED if person is None else SIGNED
    body = encode({"v": version, **said, "session": session, "home": key.name})[:-1]
    if person is not None:
        body += b',"signature":"' + person.sign(session, body).encode() + b'"'
    proof = key.prove("review", session, body)
    return seal(body + b',"proof":"' + proof.encode() + b'"')[0]


def reviewed_lines(folder: Path, keys: ReviewKeys | None) -> list[ReviewLine]:
    """Return the whole lines of a recording's reviews; without keys all are foreign.

    Raises `RecordingDamaged`.
    """
    try:
        content = read_file(folder.parent, folder.name, REVIEWS, most=_LARGEST)
    except FileNotFoundError:
        return []
    except UnexpectedFile as error:
        raise RecordingDamaged(f"{error}.") from None
    if content.count(b"\n") > MOST_LINES:
        raise RecordingDamaged(
            f"{folder / REVIEWS} has more than {MOST_LINES:,} lines: remove those that no reviewer "
            "wrote."
        )
    lines: list[ReviewLine] = []
    before = hashlib.sha256()
    for number, text in enumerate(content.split(b"\n")[:-1], 1):
        try:
            line, said = _read(text, folder.name, keys)
        except MALFORMED as error:
            raise RecordingDamaged(
                f"Line {number} of {folder / REVIEWS} is damaged ({describe_malformed(error)}): "
                "correct or remove it."
            ) from None
        if line.review is None and line.origin == "own":
            vouched = said["vouches"] == len(lines) and said["before"] == before.hexdigest()
            if vouched:
                lines = [_vouched(one, said["for_signed"]) for one in lines]
        lines.append(line)
        before.update(text + b"\n")
    return lines


def needs_vouching(line: ReviewLine, for_signed: bool) -> bool:
    """Return whether a line does not count, and will count when this home vouches for it.

    `for_signed`: also with the proof of another home; never with a wrong proof of this home, nor
    naming a person whose key is known, because then only the signature counts.
    """
    if for_signed:
        return line.origin == "foreign"
    return line.origin not in COUNTED and not line.proved


def _vouched(line: ReviewLine, for_signed: bool) -> ReviewLine:
    return replace(line, origin="own") if needs_vouching(line, for_signed) else line


def _read(text: bytes, session: str, keys: ReviewKeys | None) -> tuple[ReviewLine, dict[str, Any]]:
    if check_line(text) is None:
        raise ValueError("it was changed")
    said: dict[str, Any] = orjson.loads(text)
    del said["sum"]
    version = said.pop("v")
    if version not in _ENDS:
        raise ValueError(f"version {version!r}: upgrade sii to read it")
    ends = {name: said.pop(name) for name in _ENDS[version]}
    review = None if "vouches" in said else Review.model_validate(said)
    origin = "foreign" if keys is None else _origin(text, ends.get("home"), review, session, keys)
    return ReviewLine(text, version != UNPROVED, origin, review), said


def _origin(
    text: bytes, home: str | None, review: Review | None, session: str, keys: ReviewKeys
) -> ReviewOrigin:
    proof = _PROOF.search(text)
    body = text[: proof.start()] if proof else text
    if proof and home == keys.home.name:
        own = keys.home.proves(proof[1].decode(), "review", session, body)
        return "own" if own else "tampered"
    if review is None or review.reviewer not in keys.people:
        return "foreign"
    signature = _SIGNATURE.search(body)
    if signature is None:
        return "unsigned"
    signed, said = signature[1].decode(), body[: signature.start()]
    publics = keys.people[review.reviewer]
    is_theirs = any(is_signed_by(public, signed, session, said) for public in publics)
    return "person" if is_theirs else "unsigned"
