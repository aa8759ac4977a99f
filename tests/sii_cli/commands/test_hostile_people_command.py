"""`sii people`: reviews that were signed on another machine count where the person is known."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from recordings.storage.files import REVIEWS
from recordings.trust.home_key import KEY
from recordings.trust.people import PEOPLE
from recordings.trust.person_key import PERSON_KEY
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile


@pytest.fixture
def folder(shell: Shell) -> Path:
    """A recording of this home, which a reviewer elsewhere has a copy of."""
    return shell.recorded(rounds=1)


class Elsewhere:
    """The home of a reviewer on another machine."""

    def __init__(self, shell: Shell, home: Path, folder: Path) -> None:
        self._shell, self.home = shell, home
        self._ours, self.copy = folder, home / "recordings" / folder.name
        shutil.copytree(folder, self.copy)

    def sii(self, *args: str, speaker: str = "ada") -> str:
        done = self._shell.sii(*args, SII_HOME=str(self.home), SII_SPEAKER=speaker)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def key(self) -> str:
        _, _, key = self.sii("people", "key").strip().partition(" = ")
        return key.strip('"')

    def send(self) -> None:
        """Bring the reviews to this home, as a copy of the recording would."""
        shutil.copy(self.copy / REVIEWS, self._ours / REVIEWS)


@pytest.fixture
def ada(shell: Shell, tmp_path: Path, folder: Path) -> Elsewhere:
    return Elsewhere(shell, tmp_path / "ada", folder)


def test_a_review_signed_elsewhere_counts_once_its_person_is_known(
    shell: Shell, folder: Path, ada: Elsewhere
) -> None:
    key = ada.key()
    ada.sii("approve", folder.name, "--note", "fine")
    ada.send()
    assert "is not judged yet" in shell.sii("reviews", folder.name).stdout
    assert "nor signed with a key that it knows" in shell.sii("reviews", folder.name).stderr
    assert shell.sii("people", "add", "ada", key).returncode == 0
    told = shell.sii("reviews", folder.name).stdout
    assert "ada approves: fine  (signed)" in told
    assert "is approved" in told
    (said,) = shell.sii("reviews", folder.name, "--json").stdout.splitlines()
    assert json.loads(said)["origin"] == "person"
    assert "1 of 1 reviews count" in shell.sii("verify", folder.name).stdout
    (listed,) = shell.sii("list", "--json").stdout.splitlines()
    assert json.loads(listed)["approval"] == "approved"
    assert shell.sii("export", "data", "--format", "messages").returncode == 0
    assert key in shell.sii("people", "list").stdout


def test_a_person_taken_out_of_the_list_counts_no_longer(
    shell: Shell, folder: Path, ada: Elsewhere
) -> None:
    shell.sii("people", "add", "ada", ada.key())
    ada.sii("approve", folder.name)
    ada.send()
    assert json.loads(shell.sii("list", "--json").stdout)["approval"] == "approved"
    (shell.home / PEOPLE).unlink()
    assert json.loads(shell.sii("list", "--json").stdout)["approval"] == "unreviewed"


def test_nobody_speaks_for_a_person_whose_key_is_known(
    shell: Shell, folder: Path, ada: Elsewhere, tmp_path: Path
) -> None:
    shell.sii("people", "add", "ada", ada.key())
    eve = Elsewhere(shell, tmp_path / "eve", folder)
    eve.sii("people", "key", speaker="eve")
    eve.sii("approve", folder.name)
    eve.send()
    told = shell.sii("reviews", folder.name).stdout
    assert "not signed with this person's key, not counted" in told
    shell.sii("trust", folder.name, "--reviews", "--yes")
    assert "is not judged yet" in shell.sii("reviews", folder.name).stdout


def test_a_verdict_on_other_content_is_void(shell: Shell, folder: Path, ada: Elsewhere) -> None:
    shell.sii("people", "add", "ada", ada.key())
    ada.sii("approve", folder.name)
    ada.send()
    done = shell.sii(
        "run", "-r", folder.name, "Go on.", "--workspace", str(shell.workspace), script="hello"
    )
    assert done.returncode == 0
    told = shell.sii("reviews", folder.name)
    assert "of the recording as it was before" in told.stdout
    assert "is not judged as it is now" in told.stdout


def test_the_key_makes_nothing_else_this_homes(shell: Shell, tmp_path: Path, folder: Path) -> None:
    home = tmp_path / "new"
    shell.sii("people", "key", SII_HOME=str(home), SII_SPEAKER="ada")
    shutil.copytree(folder, home / "recordings" / folder.name)
    assert (
        "this home cannot prove that it made it"
        in shell.sii("verify", "--all", SII_HOME=str(home)).stdout
    )
    assert {KEY, PERSON_KEY, "sealed"} <= {one.name for one in home.iterdir()}


def test_a_review_that_cannot_be_signed_says_so_before_anything_is_said(
    shell: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = shell.sii("people", "key", SII_SPEAKER="ada")
    assert key.returncode == 0
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "cryptography", None)
        for args in (("approve", folder.name), ("review", folder.name)):
            done = shell.sii(*args, SII_SPEAKER="ada")
            assert done.returncode == 4
            assert "pip install 'sii-cli[keys]'" in done.stderr
            assert "Traceback" not in done.stderr
    assert not (folder / REVIEWS).exists()
    (shell.home / PERSON_KEY).chmod(0o644)
    assert "chmod 600" in shell.sii("approve", folder.name, SII_SPEAKER="ada").stderr


@pytest.mark.parametrize("command", ["list", "reviews", "verify"])
def test_a_broken_list_of_people_is_a_sentence(shell: Shell, folder: Path, command: str) -> None:
    (shell.home / PEOPLE).write_text("ada = 1")
    args = () if command == "list" else (folder.name,)
    done = shell.sii(command, *args)
    assert f"{PEOPLE} cannot be read" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
