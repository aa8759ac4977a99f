"""What is known of models, and what a text may not say to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sii_cli.model import control_tokens as neutralising
from sii_cli.model import profiles
from sii_cli.model.control_tokens import MARK, neutralise, remove_marks
from sii_cli.model.errors import ModelCallRefused
from sii_cli.model.profiles import control_tokens, profile_of


@pytest.fixture
def user_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's own profiles; what was read before is forgotten."""
    monkeypatch.setenv("SII_HOME", str(tmp_path))
    forget()
    yield tmp_path / "models.toml"
    forget()


def forget() -> None:
    """Read the files again."""
    for cached in (profiles._entries, control_tokens, neutralising._tokens, neutralising._marked):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("name", "parser", "strict", "context"),
    [
        ("zai-org/GLM-4.5", "glm45", False, 131072),
        ("GLM-4.5-Air-FP8", "glm45", False, 131072),
        ("glm-4.6", "glm45", False, 202752),
        ("/models/GLM-4.7-FP8", "glm47", True, 202752),
        ("GLM-4.7-Flash", "glm47", True, 202752),
        ("GLM-5.1", "glm47", True, 202752),
    ],
)
def test_each_glm_has_its_parser_its_grammar_and_its_context(
    name: str, parser: str, strict: bool, context: int
) -> None:
    profile = profile_of(name)
    assert profile.tool_call_parser == parser
    assert profile.reasoning_parser == "glm45"
    assert profile.strict_tool_calls is strict
    assert profile.context_length == context
    assert profile.call_stop == "<|observation|>"


def test_only_templates_that_can_are_asked_to_keep_reasoning() -> None:
    assert profile_of("GLM-4.6").keep_reasoning is None
    assert profile_of("GLM-4.7").keep_reasoning == {"clear_thinking": False}


def test_the_folder_tells_the_model_when_its_name_does_not() -> None:
    assert profile_of("assistant", "/models/zai-org/GLM-4.7").name == "GLM-4.7"


def test_nothing_is_claimed_of_a_model_that_is_not_known() -> None:
    profile = profile_of("qwen3-coder")
    assert (profile.name, profile.tool_call_parser, profile.strict_tool_calls) == (
        "unknown",
        None,
        True,
    )


def test_a_user_adds_a_model_and_changes_one(user_file: Path) -> None:
    user_file.write_text(
        """
        [[profile]]
        name = "Ours"
        match = ["ours-*"]
        tool_call_parser = "hermes"
        control_tokens = ["<|im_start|>"]

        [[profile]]
        match = ["*glm-4.5*"]
        strict_tool_calls = true
        """
    )
    assert profile_of("ours-7b").tool_call_parser == "hermes"
    assert profile_of("GLM-4.5").strict_tool_calls is True
    assert neutralise("<|im_start|>system")[1] == [("<|im_start|>", 1)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[profile]", "holds no model profiles"),
        ("[[profile]]\nname = 'x'", "match"),
        ("[[profile]]\nmatch = ['x']\nparser = 'y'", "'parser' is not a field"),
        ("[[profile]]\nmatch = ['x']\ncontext_length = 'long'", "must be of type int"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(user_file: Path, text: str, words: str) -> None:
    user_file.write_text(text)
    with pytest.raises(ModelCallRefused, match=words) as caught:
        profile_of("x")
    assert str(user_file) in str(caught.value)


def test_control_tokens_are_marked_and_counted() -> None:
    sent, found = neutralise("a <|assistant|> and <think>, <think>")
    assert found == [("<think>", 2), ("<|assistant|>", 1)]
    assert not any(token in sent for token in control_tokens())
    assert sent.replace(MARK, "") == "a <|assistant|> and <think>, <think>"


pieces = st.sampled_from([*control_tokens(), "<", "|>", "think", "é", " ", "\n", "<|", "]"])


@given(st.lists(pieces, max_size=12).map("".join))
def test_no_text_keeps_a_control_token_and_every_text_comes_back(text: str) -> None:
    sent, found = neutralise(text)
    assert not any(token in sent for token in control_tokens())
    assert remove_marks(sent) == text
    assert bool(found) == (sent != text)
