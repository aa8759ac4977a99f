"""The review protocol of a home: which verdicts make an approval, from `review.toml`.

Only the file of the user's own home is read, so a foreign one rules nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from recordings.errors import UNPARSABLE, RecordingError, why_unparsable
from recordings.storage.opening import UnexpectedFile, read_named

PROTOCOL, GUIDELINE = "review.toml", "guideline.md"
_LARGEST = 1 << 16
"""Most bytes of the file: TOML's reader needs the square of a long key's time."""
_LARGEST_GUIDELINE = 16 << 20
_MOST_REVIEWERS = 100
_LARGEST_COHORT = 1_000_000

Policy = Literal["undisputed", "any", "all", "majority", "adjudicated"]
Role = Literal["practitioner", "reviewer", "adjudicator", "lead", "model", "check"]
"""As what somebody judges: `practitioner`, who worked in the session; `reviewer`; `adjudicator`,
who decides where reviewers differ; `lead`; a `model`; a `check`."""
MACHINES: tuple[Role, ...] = ("model", "check")
POLICIES: tuple[Policy, ...] = ("undisputed", "any", "all", "majority", "adjudicated")


class ProtocolUnusable(RecordingError):
    """Raised when `review.toml` is not a protocol, or the guideline beside it is not a file."""


@dataclass(frozen=True, slots=True)
class ReviewProtocol:
    """When verdicts make an approval."""

    policy: Policy = "undisputed"
    reviewers: int = 1
    """Verdicts that a recording needs before it has a standing."""
    adjudicators: tuple[str, ...] = ()
    """Pseudonyms of those whose verdict decides under `adjudicated`."""
    machines: tuple[Role, ...] = ()
    """Of `model` and `check`: those whose verdicts count like a reviewer's."""
    cohort: int | None = None
    """Recordings that are reviewed before those that began after them; `None`: no order."""

    def role_of(self, reviewer: str) -> Role:
        """Return the role in which a person of this home reviews."""
        return "adjudicator" if reviewer in self.adjudicators else "reviewer"


DEFAULT_PROTOCOL = ReviewProtocol()


def find_protocol(home: Path) -> ReviewProtocol | None:
    """Return the protocol of a home, or `None` without a file. Raises `ProtocolUnusable`."""
    path = home / PROTOCOL
    content = _read(path, _LARGEST)
    if content is None:
        return None
    import tomllib  # slow, and most homes have no such file

    try:
        said = tomllib.loads(content.decode())
        return ReviewProtocol(**{name: _value(name, value) for name, value in said.items()})
    except UNPARSABLE as error:
        raise ProtocolUnusable(
            f"{path} cannot be read ({why_unparsable(error)}): correct it."
        ) from None


def guideline_sha256(home: Path) -> str | None:
    """Return the hash of the home's guideline, or `None` without one. Raises `ProtocolUnusable`."""
    content = _read(home / GUIDELINE, _LARGEST_GUIDELINE)
    return None if content is None else hashlib.sha256(content).hexdigest()


def _read(path: Path, most: int) -> bytes | None:
    try:
        return read_named(path, most)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnexpectedFile as error:
        raise ProtocolUnusable(f"{error}.") from None
    except OSError as error:
        raise ProtocolUnusable(f"{path} cannot be read: {error.strerror}.") from None


def _value(name: str, value: Any) -> Any:
    """Return the checked value of a field. Raises `ValueError`."""
    match name, value:
        case "policy", str() if value in POLICIES:
            return value
        case "reviewers", int() if value in range(1, _MOST_REVIEWERS + 1) and value is not True:
            return value
        case "adjudicators", list() if all(isinstance(one, str) and one for one in value):
            return tuple(value)
        case "machines", list() if all(one in MACHINES for one in value):
            return tuple(value)
        case "cohort", int() if value in range(1, _LARGEST_COHORT + 1) and value is not True:
            return value
        case _ if name in _WANTED:
            raise ValueError(f"{name} wants {_WANTED[name]}")
    import difflib  # which a home without the file does not need

    nearest = difflib.get_close_matches(name, _WANTED, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(_WANTED)}"
    raise ValueError(f"unknown field {name!r}; {hint}")


_WANTED = {
    "policy": f"one of {', '.join(POLICIES)}",
    "reviewers": f"a number from 1 to {_MOST_REVIEWERS}",
    "adjudicators": "a list of pseudonyms",
    "cohort": f"a number from 1 to {_LARGEST_COHORT:,}",
    "machines": 'a list of "model" and "check"',
}
