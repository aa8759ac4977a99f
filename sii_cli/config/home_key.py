"""The keys of the user's home, to prove what it makes and to judge what is said of it.

Of a recording in another of the user's homes (`--home`) the keys are that home's.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from sii_cli.config.homes import key_home_of
from sii_cli.config.settings import find_key_home
from sii_cli.errors import SiiError

if TYPE_CHECKING:
    from recordings.conversation.restore import Conversation
    from recordings.reviews.keys import ReviewKeys
    from recordings.trust.home_key import HomeKey
    from recordings.trust.origin import RecordingOrigin
    from recordings.trust.person_key import PersonKey


def writing_key(folder: Path | None = None) -> HomeKey:
    """Return the key for what is written, in a recording's folder perhaps; made when there is none.

    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    from recordings.trust.first_start import working_key

    return working_key(_key_home(folder))


def reading_key(folder: Path | None = None) -> HomeKey:
    """Return the key that judges a recording; where there is none, one that proves nothing.

    Raises `HomeKeyUnusable`.
    """
    from recordings.trust.home_key import HomeKey, find_key

    return find_key(_key_home(folder)) or HomeKey(secrets.token_bytes(32))


def review_keys(folder: Path | None = None) -> ReviewKeys:
    """Return the keys that say which reviews of a recording count.

    Raises `HomeKeyUnusable`, `PeopleUnusable`, `KeysMissing`.
    """
    from recordings.reviews.keys import ReviewKeys
    from recordings.trust.people import find_people

    return ReviewKeys(reading_key(folder), find_people(_key_home(folder)))


def signing_key(folder: Path | None = None) -> PersonKey | None:
    """Return the key that signs reviews of a recording, where there is one.

    Raises `HomeKeyUnusable`, `KeysMissing`.
    """
    from recordings.trust.person_key import find_person_key

    return find_person_key(_key_home(folder))


def origin_here(folder: Path) -> RecordingOrigin:
    """Return the origin of a recording, with every line checked.

    Raises `HomeKeyUnusable`, `RecordingNotFound`.
    """
    from recordings.trust.origin import origin_of

    return origin_of(folder, key_home_of(folder))


def origin_here_of(folder: Path, restored: Conversation) -> RecordingOrigin:
    """Return the origin of a recording that was restored, which checked every line.

    Raises `HomeKeyUnusable`, `RecordingNotFound`.
    """
    from recordings.trust.origin import origin_of_checked

    origin = origin_of_checked(folder, key_home_of(folder), restored.sha256)
    # Log and seal are two files: one that is being written is looked at again.
    return origin if origin != "foreign" else origin_here(folder)


def require_proved(folder: Path) -> None:
    """Raise `SiiError` for a foreign recording: its session is not continued for its user."""
    if origin_here(folder) == "foreign":
        raise SiiError(
            f"This home cannot prove that it made {folder.name}, so the session is not continued: "
            f"`sii trust {folder.name}` trusts it."
        )


def _key_home(folder: Path | None) -> Path:
    return find_key_home(os.environ) if folder is None else key_home_of(folder)
