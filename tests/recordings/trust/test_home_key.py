"""The home's key is made once, is only the user's, and proves what this home said."""

from __future__ import annotations

import hmac
import os
import threading
from pathlib import Path

import pytest

from recordings.trust.home_key import KEY, HomeKey, find_key, home_key
from recordings.trust.key_files import HomeKeyUnusable


def test_looking_for_the_key_makes_none(tmp_path: Path) -> None:
    assert find_key(tmp_path) is None
    assert os.listdir(tmp_path) == []


def test_the_key_is_made_once_and_for_the_user_alone(tmp_path: Path) -> None:
    proof = home_key(tmp_path / "home").prove("review", "a")
    assert home_key(tmp_path / "home").proves(proof, "review", "a")
    assert os.listdir(tmp_path / "home") == [KEY]
    assert (tmp_path / "home" / KEY).stat().st_mode & 0o777 == 0o600


def test_programs_that_make_it_at_the_same_moment_get_the_same(tmp_path: Path) -> None:
    proofs: list[str] = []
    start = threading.Barrier(8)

    def make() -> None:
        start.wait()
        proofs.append(home_key(tmp_path).prove("review", "a"))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(proofs) == 8
    assert len(set(proofs)) == 1


def test_a_proof_holds_for_its_purpose_and_its_parts_alone(tmp_path: Path) -> None:
    key = home_key(tmp_path)
    proof = key.prove("review", "ab", "c")
    assert key.proves(proof, "review", "ab", "c")
    assert not key.proves(proof, "recording", "ab", "c")
    assert not key.proves(proof, "review", "a", "bc")
    assert not key.proves(proof, "review", "abc")
    assert not key.proves("é", "review", "ab", "c")
    assert not home_key(tmp_path / "other").proves(proof, "review", "ab", "c")


@pytest.mark.parametrize("what", ["link", "fifo", "directory", "readable", "short", "long"])
def test_what_is_no_key_of_ours_is_refused_with_a_sentence(tmp_path: Path, what: str) -> None:
    path = tmp_path / KEY
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
    with pytest.raises(HomeKeyUnusable, match=f"{path}.*: (remove it|restore it|run `chmod)"):
        home_key(tmp_path)


def test_a_key_of_another_user_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home_key(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(HomeKeyUnusable, match="belongs to another user"):
        find_key(tmp_path)


def test_a_proof_is_an_hmac_of_the_framed_parts() -> None:
    secret = bytes(range(32))
    framed = b"".join(
        len(part).to_bytes(8, "big") + part for part in (b"review", b"ab", "ü".encode())
    )
    proof = HomeKey(secret).prove("review", b"ab", "ü")
    assert proof == hmac.digest(secret, framed, "sha256").hex()
    assert HomeKey(secret).prover("review", "ab")("ü") == proof


def test_a_key_has_a_name_that_is_its_own() -> None:
    assert HomeKey(b"a" * 32).name == HomeKey(b"a" * 32).name != HomeKey(b"b" * 32).name
