"""The lines of `reviews.jsonl`: what each says, and who wrote it.

Version 1 is a review and its checksum. Version 2 names the session and the key of the home that
wrote it, and ends with that home's proof of everything before; there are also lines that vouch for
the lines before them. Version 3 has the person's signature before the proof. Version 4 says what
it is about, a recording or a candidate, and has the fields of `Review`; the signature is optional.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from recordings.errors import MALFORMED, RecordingDamaged, RecordingError, describe_malformed
from recordings.reviews.earlier import earlier_review
from recordings.reviews.keys import ReviewKeys
from recordings.reviews.review import Review
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
LONGEST_LINE = 1 << 20
"""Bytes of a line of version 4."""
UNPROVED, PROVED, SIGNED, CURRENT = 1, 2, 3, 4
"""Versions of a line."""
_ENDS: dict[int, tuple[str, ...]] = {
    UNPROVED: (),
    PROVED: ("session", "home", "proof"),
    SIGNED: ("session", "home", "signature", "proof"),
    CURRENT: (),
}
"""Keys that a line must have to prove it, by version."""
_OPTIONAL_ENDS = ("home", "signature", "proof")
"""The same for the current version, in which a line may have them."""
_PROOF = re.compile(rb',"proof":"([0-9a-f]{64})","sum":"[0-9a-f]{16}"\}\Z')
_SIGNATURE = re.compile(rb',"signature":"([0-9a-f]{128})"\Z')

ReviewOrigin = Literal["own", "person", "foreign", "unsigned", "tampered", "misplaced"]
"""`own`: this home wrote it, or vouched for it; `person`: the named person signed it; `unsigned`:
it names a person whose key is known, without a valid signature; `tampered`: it names this home,
with a wrong proof; `misplaced`: it is about something else; `foreign`: any other."""
COUNTED: frozenset[ReviewOrigin] = frozenset({"own", "person"})
"""Origins of the reviews that count."""


class ReviewTooLarge(RecordingError):
    """Raised when a review is larger than a line may be."""


@dataclass(frozen=True, slots=True)
class ReviewLine:
    """A line of the file."""

    text: bytes
    proved: bool
    """Whether it ends with the proof of a home."""
    origin: ReviewOrigin
    review: Review | None
    """`None` for a line that vouches for others."""


def review_line(review: Review, key: HomeKey | None, person: PersonKey | None = None) -> bytes:
    """Return the line of a review, with the proof of the home and the signature of the person.

    Without a key it has neither. Raises `ReviewTooLarge`.
    """
    home = {} if key is None else {"home": key.name}
    body = encode({"v": CURRENT, **review.__dict__, **home})[:-1]
    line = seal(body if key is None else _with_proof(body, review.id, key, person))[0]
    if len(line) > LONGEST_LINE:
        raise ReviewTooLarge(
            f"The review of {review.id} is larger than {LONGEST_LINE >> 20} MiB: say it in "
            "several reviews."
        )
    return line


def vouching_line(session: str, said: Mapping[str, Any], key: HomeKey) -> bytes:
    """Return a line that vouches for the lines before it, with the proof of the home."""
    body = encode({"v": PROVED, **said, "session": session, "home": key.name})[:-1]
    return seal(_with_proof(body, session, key, None))[0]


def _with_proof(body: bytes, subject: str, key: HomeKey, person: PersonKey | None) -> bytes:
    if person is not None:
        body += b',"signature":"' + person.sign(subject, body).encode() + b'"'
    return body + b',"proof":"' + key.prove("review", subject, body).encode() + b'"'


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
    return line.origin in ("foreign", "unsigned") and not line.proved


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
    if version == CURRENT:
        ends |= {name: said.pop(name) for name in _OPTIONAL_ENDS if name in said}
    review = None if "vouches" in said else _review(said, version, text, session)
    origin = "foreign" if keys is None else _origin(text, ends.get("home"), review, session, keys)
    return ReviewLine(text, "proof" in ends, origin, review), said


def _review(said: dict[str, Any], version: int, text: bytes, session: str) -> Review:
    if version != CURRENT:
        return earlier_review(said, session)
    if len(text) > LONGEST_LINE:
        raise ValueError(f"it has more than {LONGEST_LINE:,} bytes")
    review = Review.model_validate(said)
    if review.role is None:
        raise ValueError("it has no role")
    return review


def _origin(
    text: bytes, home: str | None, review: Review | None, session: str, keys: ReviewKeys
) -> ReviewOrigin:
    if review is not None and (review.kind, review.id) != ("recording", session):
        return "misplaced"
    proof = _PROOF.search(text)
    body = text[: proof.start()] if proof else text
    if home == keys.home.name:
        own = proof and keys.home.proves(proof[1].decode(), "review", session, body)
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
