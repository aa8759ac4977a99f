"""Tokens are counted as the model's own tokenizer counts them, and each message once."""

from __future__ import annotations

import inspect
import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiktoken import Encoding
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from recordings.conversation.messages import encode_message
from sii_cli.agent.context.meter import Meter
from sii_cli.agent.context.tokens import (
    FRAME,
    PIECE,
    EstimateCounter,
    FileCounter,
    ServerCounter,
    make_counter,
)
from sii_cli.config.load import load_settings
from sii_cli.config.running_server import note_server
from sii_cli.config.settings import Settings
from sii_cli.model.types import ServedModel
from sii_cli.session.context import make_context
from sii_cli.tokenizer.tokenizer_file import UnknownTokenizer, load_encoding
from tests.fakes.scripted_model import ScriptedModel

GLM_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How GLM-4.5 and later split text into words."""
SPECIAL = ("<|user|>", "<|assistant|>", "<think>", "</think>", "/nothink")
SPLITS: dict[str, list[Any]] = {
    "glm": [
        pre_tokenizers.Split(Regex(GLM_WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ],
    "gpt2": [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)],
    "whole": [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)],
}


@pytest.fixture(scope="module", params=SPLITS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's folder with a tokenizer of one kind in it."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(SPLITS[request.param])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    source = Path(json.__file__).parent
    corpus = [path.read_text("utf-8") for path in sorted(source.glob("*.py"))]
    tokenizer.train_from_iterator([*corpus, "naïve café 日本語 中文字 🌍🌍 " * 20], trainer)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in SPECIAL])
    folder = tmp_path_factory.mktemp("model")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@cache
def both(folder: Path) -> tuple[Tokenizer, Encoding]:
    """The tokenizer as its own library reads it, and as it is read here."""
    return Tokenizer.from_file(str(folder / "tokenizer.json")), load_encoding(folder)


texts = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            ["def ", "return", "self.", "\n", "    ", "1234", "'s", "é", "日本", "🌍", *SPECIAL]
        ),
        max_size=60,
    ).map("".join),
)


@settings(
    derandomize=True, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=texts)
def test_a_tokenizer_file_counts_as_the_models_own_tokenizer(folder: Path, text: str) -> None:
    own, encoding = both(folder)
    counted = len(encoding.encode(text, allowed_special="all"))
    assert counted == len(own.encode(text, add_special_tokens=False).ids)


async def test_a_long_text_is_counted_in_pieces(folder: Path) -> None:
    counter = FileCounter(load_encoding(folder))
    text = inspect.getsource(json.decoder) * 20
    whole = len(load_encoding(folder).encode(text))
    assert len(text) > 3 * PIECE
    assert abs(await counter.count(text) - whole) < whole / 500


@pytest.mark.parametrize(
    "change",
    [
        {"model": {"type": "Unigram", "vocab": []}},
        {"normalizer": {"type": "NFC"}},
        {"pre_tokenizer": {"type": "Metaspace"}},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True}},
        {"model": None},
    ],
    ids=str,
)
def test_another_kind_of_tokenizer_is_refused(
    folder: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    parsed = orjson.loads((folder / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer.json").write_bytes(orjson.dumps(parsed | change))
    with pytest.raises(UnknownTokenizer):
        load_encoding(tmp_path)


async def test_the_tokenizer_that_the_user_names_counts(folder: Path) -> None:
    counter, what = await make_counter(folder, ScriptedModel())
    assert isinstance(counter, FileCounter)
    assert what == str(folder / "tokenizer.json")


@pytest.mark.hostile
async def test_a_folder_that_a_server_names_is_not_read(folder: Path, tmp_path: Path) -> None:
    served = ServedModel("glm", "http://x/v1", details={"entry": {"root": str(folder)}})
    settings = replace(Settings(), home=tmp_path, workspace=tmp_path)
    context = await make_context(settings, served, ScriptedModel())
    assert context.counted_by == "an estimate"


def test_the_tokenizer_of_the_model_that_sii_serves_counts(folder: Path, tmp_path: Path) -> None:
    env = {"SII_HOME": str(tmp_path / "home")}
    note_server(tmp_path / "home", "http://127.0.0.1:9/v1", os.getpid(), folder)
    assert load_settings({}, env, works=False).tokenizer == folder
    elsewhere = env | {"SII_BASE_URL": "http://x/v1"}
    assert load_settings({}, elsewhere, works=False).tokenizer is None


class Counting(ScriptedModel):
    """Counts a text's words while it is up."""

    up = True
    asked = 0

    async def count_tokens(self, what: object) -> int | None:
        self.asked += 1
        return len(str(what).split()) if self.up else None


async def test_else_the_server_is_asked_and_else_it_is_estimated(tmp_path: Path) -> None:
    model = Counting()
    counter, what = await make_counter(None, model)
    assert isinstance(counter, ServerCounter)
    assert (await counter.count("one two"), counter.exact) == (2, True)
    model.up = False
    assert (await counter.count("one two"), counter.exact) == (3, False)
    assert isinstance((await make_counter(None, model))[0], EstimateCounter)
    missing, what = await make_counter(tmp_path / "gone", ScriptedModel())
    assert isinstance(missing, EstimateCounter)
    assert "gone" in what


def message(role: str, text: str) -> bytes:
    return encode_message({"role": role, "content": text})


async def test_every_message_is_counted_once(folder: Path) -> None:
    model = Counting()
    meter = Meter(ServerCounter(model), b"[]")
    history = [message("system", "a b c"), message("user", "d e")]
    await meter.count(history)
    assert (meter.used, model.asked) == (4 + 3 * FRAME, 1)
    history.append(message("assistant", "f"))
    meter.set(100, len(history))
    await meter.count(history)
    assert (meter.used, meter.exact, model.asked) == (100, True, 1)
    history.append(message("tool", "g h i"))
    await meter.count(history)
    await meter.count(history)
    assert (meter.used, model.asked) == (103 + FRAME, 2)
    meter = Meter(ServerCounter(model), b"[]")
    await meter.count(history[:1])
    assert meter.used == 3 + 2 * FRAME


async def test_an_estimate_is_marked_and_leaves_room() -> None:
    meter = Meter(EstimateCounter())
    await meter.count([message("user", "x" * 3000)])
    assert not meter.exact
    assert meter.unsure == meter.used // 5 > 0
