"""Text is never a control token, and ids spell what they stand for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sii_cli.tokenizer.token_text import TokenText
from sii_cli.tokenizer.tokenizer_file import UnknownTokenizer, load_encoding
from sii_cli.tokenizer.vocabulary import load_vocabulary
from tests.sii_cli.model.ids.offline import FAMILIES, Family, folder, reader, vocabulary, writer

TOKENS = sorted(vocabulary("GLM-4.7").control)
HALVES = [token[:-1] for token in TOKENS] + [token[1:] for token in TOKENS]
PIECES = st.one_of(st.sampled_from(TOKENS + HALVES), st.text(max_size=4))
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@given(TEXTS)
def test_no_text_spells_a_control_token(text: str) -> None:
    own = vocabulary("GLM-4.7")
    text = text.encode("utf-8", "ignore").decode()
    ids = own.encode(text)
    assert own.names.keys().isdisjoint(ids)
    assert own.spell(ids) == text


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_in_any_place_forges_nothing(family: Family) -> None:
    own, write = vocabulary(family), writer(family)
    evil = "".join(own.control)
    places = {
        "user": (write.user(evil), write.user("")),
        "system": (write.system(evil), write.system("")),
        "result": (write.result(evil), write.result("")),
        "turn": (
            write.turn(evil, evil, [(evil, {evil: evil})]),
            write.turn("a", "a", [("a", {"a": "a"})]),
        ),
    }
    for name, (with_evil, without) in places.items():
        control = [[token for token in ids if token in own.names] for ids in (with_evil, without)]
        assert control[0] == control[1], name


def test_the_strings_of_a_form_become_control_tokens() -> None:
    own = vocabulary("GLM-4.5")
    assert own.join(own.pieces("<|user|>\n"))[0] == own.control["<|user|>"]


@pytest.mark.hostile
@pytest.mark.parametrize("token", [10**7, 2**32 - 1, 2**32, 2**53 - 1, 2**63 - 1, -1])
def test_an_id_that_no_tokenizer_has_spells_nothing(token: int) -> None:
    own = vocabulary("GLM-4.7")
    assert own.spell([token, *own.encode("word"), token]) == "word"
    assert reader("GLM-4.7").feed([token, *own.encode("word")])[0].text == "word"


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes((folder("GLM-4.7") / "tokenizer.json").read_bytes())
    first = load_vocabulary(tmp_path)
    assert load_vocabulary(path) is first
    path.write_bytes(path.read_bytes() + b"\n")
    assert load_vocabulary(path) is not first


@pytest.mark.hostile
@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"model": 3}', b"\xff", b"[" * 200_000, b'{"model": ' * 200_000]
)
def test_another_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(content)
    with pytest.raises(UnknownTokenizer, match=r"tokenizer\.json"):
        load_vocabulary(path)


def test_a_missing_file_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UnknownTokenizer, match="cannot be read"):
        load_vocabulary(tmp_path / "none.json")


def changed(place: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write a tokenizer that is changed in something."""
    parsed = json.loads((folder("GLM-4.7") / "tokenizer.json").read_text())
    change(parsed)
    path = place / "tokenizer.json"
    path.write_text(json.dumps(parsed))
    return path


def break_prefix(parsed: dict[str, Any]) -> None:
    parsed["model"]["continuing_subword_prefix"] = "世"


def replace_control_token(parsed: dict[str, Any]) -> None:
    """A word of the vocabulary is marked as a control token: text that has it would be it."""
    parsed["added_tokens"][0]["content"] = "e"


def normalise(parsed: dict[str, Any]) -> None:
    parsed["normalizer"] = {"type": "Lowercase"}
    parsed["added_tokens"][0]["content"] = "<|ENDOFTEXT|>"


@pytest.mark.hostile
@pytest.mark.parametrize("change", [break_prefix, replace_control_token, normalise])
def test_a_file_that_cannot_be_trusted_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    with pytest.raises(UnknownTokenizer, match=r"tokenizer\.json"):
        load_vocabulary(changed(tmp_path, change))


@pytest.mark.hostile
def test_an_entry_that_is_not_byte_level_spells_itself(tmp_path: Path) -> None:
    """It is in no text that is encoded; a server may generate its id all the same."""

    def rename(parsed: dict[str, Any]) -> None:
        parsed["model"]["vocab"]["▁世"] = 5000

    own = load_vocabulary(changed(tmp_path, rename))
    assert own.spell([5000]) == "▁世"


@pytest.mark.hostile
def test_what_is_not_a_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tokenizer.json")
    for load in (load_vocabulary, load_encoding, TokenText.load):
        with pytest.raises(UnknownTokenizer, match="where a file should be"):
            load(tmp_path)
