"""The debug log: what a bug report needs, in a bounded file, without secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.redaction.redactor import Redactor
from recordings.redaction.secrets import SecretFinder
from sii_cli import debug_log
from sii_cli.debug_log import LOG, MOST_BYTES, OLDER, logger, start_log
from tests.sii_cli.shell import Shell

KEY = "hunter2-hunter2-hunter2"


@pytest.fixture(autouse=True)
def _log_closed() -> Iterator[None]:
    yield
    for name in debug_log._ROOTS:
        root = logging.getLogger(name)
        for file in [one for one in root.handlers if isinstance(one, debug_log._LogFile)]:
            root.removeHandler(file)
            file.close()
        root.setLevel(logging.NOTSET)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    start_log(tmp_path, lambda: Redactor(SecretFinder({"SII_API_KEY": KEY})).text)
    return tmp_path


def test_nothing_is_made_when_there_is_nothing_to_write(home: Path) -> None:
    logger("sii_cli.main").debug("a request")
    assert list(home.iterdir()) == []


def test_a_fault_is_written_with_its_traceback_and_without_secrets(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        raise ValueError(f"the server said {KEY}")
    except ValueError:
        logger("sii_cli.main").exception("it failed with %s", KEY)
    text = (home / LOG).read_text()
    assert "Traceback" in text
    assert "ValueError: the server said" in text
    assert KEY not in text
    assert capsys.readouterr() == ("", "")
    assert (home / LOG).stat().st_mode & 0o077 == 0


def test_it_stays_within_its_bounds(home: Path) -> None:
    for _ in range(4 * OLDER):
        for _ in range(20):
            logger("sii_cli.main").error("x" * (MOST_BYTES // 4))
    files = list(home.iterdir())
    assert len(files) == 1 + OLDER
    assert all(file.stat().st_size <= MOST_BYTES for file in files)


def test_it_is_not_written_through_a_link(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (home / LOG).symlink_to(target)
    logger("sii_cli.main").error("it failed")
    assert target.read_text() == "mine"


def test_a_home_that_cannot_be_written_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    start_log(tmp_path / "file" / "home", lambda: str)
    logger("sii_cli.main").error("it failed")
    assert capsys.readouterr() == ("", "")


def test_a_failed_request_is_in_the_log_of_the_home(shell: Shell) -> None:
    done = shell.sii("-p", "hi", script="broken")
    assert done.returncode == 4
    assert "request 1 failed: connect: It failed: connect." in (shell.home / LOG).read_text()


def test_debug_writes_requests_too(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SII_DEBUG", "")
    shell.sii("-p", "hi", script="hello")
    assert not (shell.home / LOG).exists()
    shell.sii("--debug", "-p", "hi", script="hello")
    assert (
        "DEBUG sii_cli.agent.model_client: step 1: request 1 to" in (shell.home / LOG).read_text()
    )
