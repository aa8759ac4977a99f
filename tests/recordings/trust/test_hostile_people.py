"""Keys of people: the private half is the user's alone, the list of public halves is exact."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from recordings.errors import RecordingFailed
from recordings.reviews.keys import ReviewKeys
from recordings.trust.home_key import HomeKey
from recordings.trust.key_files import HomeKeyUnusable
from recordings.trust.people import PEOPLE, PeopleUnusable, add_person, find_people
from recordings.trust.person_key import (
    PERSON_KEY,
    KeysMissing,
    PersonKey,
    find_person_key,
    is_signed_by,
    person_key,
)

pytestmark = pytest.mark.hostile

ADA, BOB = PersonKey(b"a" * 32).public, PersonKey(b"b" * 32).public


def test_the_key_is_made_once_and_for_the_user_alone(tmp_path: Path) -> None:
    assert find_person_key(tmp_path) is None
    made = person_key(tmp_path / "home")
    assert person_key(tmp_path / "home").public == made.public
    assert os.listdir(tmp_path / "home") == [PERSON_KEY]
    assert (tmp_path / "home" / PERSON_KEY).stat().st_mode & 0o777 == 0o600


def test_the_signature_is_that_of_rfc_8032() -> None:
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    assert PersonKey(secret).public == (
        "ed25519:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )


def test_a_signature_is_of_a_session_and_its_words() -> None:
    signature = PersonKey(b"a" * 32).sign("ab", b"c")
    assert is_signed_by(ADA, signature, "ab", b"c")
    assert not is_signed_by(ADA, signature, "a", b"bc")
    assert not is_signed_by(BOB, signature, "ab", b"c")


@pytest.mark.parametrize("what", ["link", "fifo", "directory", "readable", "short", "long"])
def test_what_is_no_key_of_ours_is_refused_with_a_sentence(tmp_path: Path, what: str) -> None:
    path = tmp_path / PERSON_KEY
    match what:
        case "link":
            (tmp_path / "other").write_bytes(b"x" * 32)
            (tmp_path / "other").chmod(0o600)
            path.symlink_to("other")
        case "fifo":
            os.mkfifo(path, 0o600)
        case "directory":
            path.mkdir()
        case _:
            path.write_bytes(b"x" * {"short": 31, "long": 33}.get(what, 32))
            path.chmod(0o644 if what == "readable" else 0o600)
    for find in (find_person_key, person_key):
        with pytest.raises(HomeKeyUnusable, match=str(path)):
            find(tmp_path)


def test_people_are_added_to_what_the_user_wrote(tmp_path: Path) -> None:
    assert find_people(tmp_path) == {}
    (tmp_path / PEOPLE).write_text(f'# ours\nada = ["{ADA}"]')
    add_person(tmp_path, 'b "ö" .b\\', BOB)
    assert find_people(tmp_path) == {"ada": (ADA,), 'b "ö" .b\\': (BOB,)}
    assert (tmp_path / PEOPLE).read_text().startswith("# ours\n")


@pytest.mark.parametrize(
    ("name", "key", "why"),
    [
        ("ada", PersonKey(b"n" * 32).public, "has a key"),
        ("eve", ADA, "someone else"),
        ("bob", "ssh-ed25519 AAAA", "not a public key"),
        ("bob", BOB.upper(), "not a public key"),
        ("bob", BOB + "\n", "not a public key"),
        (" ", BOB, "not a name"),
        ("bob\nada", BOB, "not a name"),
        ("b\udcff", BOB, "not a name"),
    ],
)
def test_what_would_say_something_else_is_not_added(
    tmp_path: Path, name: str, key: str, why: str
) -> None:
    add_person(tmp_path, "ada", ADA)
    with pytest.raises(PeopleUnusable, match=why):
        add_person(tmp_path, name, key)
    assert find_people(tmp_path) == {"ada": (ADA,)}


@pytest.mark.parametrize(
    "text",
    [
        "ada",
        'ada = ""',
        "ada = []",
        "ada = 1",
        f'ada = "{ADA.upper()}"',
        f'[ada]\nkey = "{ADA}"',
        f'ada = "{ADA}"\neve = "{ADA}"',
        f'ada = "{ADA}"\nada = "{BOB}"',
        f'ada = ["{ADA}", 1]',
        "a = " + "[" * 100_000,
    ],
)
def test_a_list_that_is_not_exact_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / PEOPLE).write_text(text)
    with pytest.raises(PeopleUnusable, match=PEOPLE):
        find_people(tmp_path)


@pytest.mark.parametrize("what", ["fifo", "directory", "bytes", "long"])
def test_what_is_no_list_is_refused_with_a_sentence(tmp_path: Path, what: str) -> None:
    path = tmp_path / PEOPLE
    match what:
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "bytes":
            path.write_bytes(b"\xff")
        case _:
            path.write_bytes(b"#" * (1 << 21))
    with pytest.raises(PeopleUnusable, match=PEOPLE):
        find_people(tmp_path)
    with pytest.raises(PeopleUnusable, match=PEOPLE):
        add_person(tmp_path, "ada", ADA)


def test_a_list_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingFailed, match=PEOPLE):
        add_person(tmp_path / "missing", "ada", ADA)


def test_what_is_not_installed_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_key(tmp_path)
    add_person(tmp_path, "ada", ADA)
    monkeypatch.setattr(
        sys, "path", [one for one in sys.path if not (Path(one) / "cryptography").is_dir()]
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "cryptography"]:
        monkeypatch.delitem(sys.modules, name)
    assert find_people(tmp_path / "empty") == {}
    assert find_person_key(tmp_path / "empty") is None
    for act in (find_people, find_person_key, person_key):
        with pytest.raises(KeysMissing, match=r"pip install 'sii-cli\[keys\]'"):
            act(tmp_path)


def test_keys_have_another_name_when_a_person_has_another_key() -> None:
    home = HomeKey(b"o" * 32)
    lists: list[dict[str, tuple[str, ...]]] = [
        {},
        {"ada": (ADA,)},
        {"ada": (BOB,)},
        {"eve": (ADA,)},
        {"ada": (ADA, BOB)},
    ]
    assert len({ReviewKeys(home, people).name for people in lists}) == len(lists)
    assert ReviewKeys(home, {"a": (ADA,), "b": (BOB,)}).name == (
        ReviewKeys(home, {"b": (BOB,), "a": (ADA,)}).name
    )
