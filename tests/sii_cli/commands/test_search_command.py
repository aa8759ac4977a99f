"""`sii search` says where something was said."""

from __future__ import annotations

import json

import pytest

from tests.recordings.recording_sessions import FakeSession
from tests.sii_cli.shell import Shell


def asks(question: str) -> dict[str, object]:
    def change(session: FakeSession) -> None:
        session.round(1, message=question)
        session.end()

    return {"change": change}


def test_a_text_is_found_with_its_place_and_what_stands_around_it(shell: Shell) -> None:
    folder = shell.recorded(**asks("Where\nis the zebra?"))
    shell.recorded()
    done = shell.sii("search", "ZEBRA")
    assert done.returncode == 0
    (line,) = done.stdout.splitlines()
    assert line.startswith(folder.name)
    assert line.endswith("  user         unchecked    Where is the zebra?")
    assert "›" in shell.sii("show", folder.name).stdout
    fact = json.loads(shell.sii("search", "zebra", "--json").stdout)
    assert (fact["id"], fact["kind"]) == (folder.name, "user")
    assert [fact["snippet"][start:end] for start, end in fact["matches"]] == ["zebra"]


def test_words_of_a_phrase_and_filters(shell: Shell) -> None:
    shell.recorded(**asks("Where is the zebra?"), model="other")
    assert shell.sii("search", "zebra", "where").returncode == 0
    assert shell.sii("search", '"the zebra"').returncode == 0
    assert shell.sii("search", '"zebra the"').returncode == 1
    assert shell.sii("search", "zebra", "--model", "other").returncode == 0
    missed = shell.sii("search", "zebra", "--model", "GLM")
    assert (missed.stdout, missed.returncode) == ("", 1)
    assert "Nothing was found" in missed.stderr


def test_a_snippet_moves_no_cursor(shell: Shell) -> None:
    shell.recorded(**asks("The \x1b[2Jzebra\x1b]0;owned\x07 \u202eis here"))
    line = shell.sii("search", "zebra").stdout
    assert "\x1b" not in line
    assert "\u202e" not in line


def test_more_than_the_limit_is_said(shell: Shell) -> None:
    shell.recorded()
    done = shell.sii("search", "ledger", "--limit", "2")
    assert len(done.stdout.splitlines()) == 2
    assert "--limit shows more" in done.stderr


@pytest.mark.parametrize("args", [[], ["***"], ["x", "--limit", "0"]])
def test_misuse_is_one_sentence(shell: Shell, args: list[str]) -> None:
    done = shell.sii("search", *args)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_nothing_is_found_where_nothing_was_recorded(shell: Shell) -> None:
    assert shell.sii("search", "zebra").returncode == 1
    assert not shell.home.exists()
