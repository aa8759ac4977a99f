"""The keys of the user's home, to prove what it makes and to judge what is said of it."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from sii_cli.config.settings import find_key_home

if TYPE_CHECKING:
    from recordings.reviews.keys import ReviewKeys
    from recordings.trust.home_key import HomeKey
    from recordings.trust.person_key import PersonKey


def writing_key() -> HomeKey:
    """Return the key of the user's home, made when there is none.

    Raises `HomeKeyUnusable`, `RecordingFailed`.
    """
    from recordings.trust.first_start import working_key

    return working_key(find_key_home(os.environ))


def reading_key() -> HomeKey:
    """Return the key of the user's home; where there is none, one that proves nothing.

    Raises `HomeKeyUnusable`.
    """
    from recordings.trust.home_key import HomeKey, find_key

    return find_key(find_key_home(os.environ)) or HomeKey(secrets.token_bytes(32))


def review_keys() -> ReviewKeys:
    """Return the keys that say whose reviews count in the user's home.

    Raises `HomeKeyUnusable`, `PeopleUnusable`, `KeysMissing`.
    """
    from recordings.reviews.keys import ReviewKeys
    from recordings.trust.people import find_people

    return ReviewKeys(reading_key(), find_people(find_key_home(os.environ)))


def signing_key() -> PersonKey | None:
    """Return the key that signs the reviews of the user's home, where there is one.

    Raises `HomeKeyUnusable`, `KeysMissing`.
    """
    from recordings.trust.person_key import find_person_key

    return find_person_key(find_key_home(os.environ))
