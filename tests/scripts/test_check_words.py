"""The list of refused turns: what it finds, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import check_words
from scripts.check_words import refused

TURNS = {r"\b(?:census|obituary|lifeline)\b": "a plain word"}


def found(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "a.md"
    file.write_text(text)
    return [line.removeprefix(f"{file}:") for line in refused(file, TURNS)]


@pytest.mark.parametrize("word", ["census", "Obituary", "LIFELINE"])
def test_a_turn_is_found_with_its_line_whatever_its_case(tmp_path: Path, word: str) -> None:
    (line,) = found(tmp_path, f"First.\nThe {word} of it.\n")
    assert line.startswith(f"2: '{word}': write ")


def test_a_part_of_a_longer_word_is_left_alone(tmp_path: Path) -> None:
    assert found(tmp_path, "lifelines and censuses\n") == []


@pytest.mark.parametrize(
    "turn",
    [
        "It brought them back.",
        "def begin_anew(): ...",
        "Going on with a session.",
        "All is summed up.",
        "What dead owners left.",
    ],
)
def test_the_words_of_the_glossary_are_refused(tmp_path: Path, turn: str) -> None:
    file = tmp_path / "a.md"
    file.write_text(turn)
    assert len(list(refused(file, check_words.TURNS))) == 1


def test_a_line_may_allow_it(tmp_path: Path) -> None:
    assert found(tmp_path, "x = 'census'  # words: allow\n") == []


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(check_words, "ROOT", tmp_path)
    monkeypatch.setattr(check_words, "TURNS", TURNS)
    return tmp_path


def test_the_exit_code_counts(checkout: Path) -> None:
    good, bad = checkout / "good.md", checkout / "bad.md"
    good.write_text("Plain words.\n")
    bad.write_text("An obituary.\n")
    assert check_words.main([str(good)]) == 0
    assert check_words.main([str(good), str(bad)]) == 1


def test_data_of_others_is_not_read(checkout: Path) -> None:
    folder = checkout / "tests" / "wire"
    folder.mkdir(parents=True)
    (folder / "page.md").write_text("An obituary.\n")
    assert check_words.main([str(folder / "page.md")]) == 0


def test_the_whole_checkout_is_read_without_arguments(checkout: Path) -> None:
    (checkout / "docs").mkdir()
    assert check_words.main([]) == 0
    (checkout / "docs" / "page.md").write_text("An obituary.\n")
    assert check_words.main([]) == 1
