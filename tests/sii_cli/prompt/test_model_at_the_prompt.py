"""`/model` and `/think` at the prompt."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.events import ModelChange, ModelResponse
from tests.sii_cli.prompt.test_prompt import CTRL_D, ENTER, Prompt, home, prompt, session_of

__all__ = ["home", "prompt"]


def changes(home: Path) -> list[ModelChange]:
    return [data for data in session_of(home) if isinstance(data, ModelChange)]


def test_a_model_is_chosen_by_its_name(prompt: Prompt, home: Path) -> None:
    terminal = prompt("two-models")
    terminal.send("Hello" + ENTER)
    terminal.wait_for("First.")
    terminal.send("/model gone" + ENTER)
    terminal.wait_for("does not serve gone; it serves scripted, other.")
    terminal.send("/model other" + ENTER)
    terminal.wait_for("Context: 131,072 → 16,384 tokens.")
    terminal.wait_for("The next prompt is a recorded break")
    terminal.send("Again" + ENTER)
    terminal.wait_for("Second.")
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert [one.model for one in changes(home)] == ["other"]
    assert len([data for data in session_of(home) if isinstance(data, ModelResponse)]) == 2


def test_a_model_is_picked_from_a_list(prompt: Prompt, home: Path) -> None:
    terminal = prompt("two-models")
    terminal.send("Hello" + ENTER)
    terminal.wait_for("First.")
    terminal.send("/model" + ENTER)
    terminal.wait_for("Continue with a model")
    terminal.wait_for("scripted (now)")
    terminal.send("oth" + ENTER)  # it is picked as typed, not as the list was before
    terminal.wait_for("The session continues with other.")
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert [one.model for one in changes(home)] == ["other"]


@pytest.mark.parametrize("model", ["two-models", "two"])
def test_thinking_is_turned_off_and_says_what_the_template_does(
    prompt: Prompt, home: Path, model: str
) -> None:
    terminal = prompt(model)
    terminal.send("Hello" + ENTER)
    terminal.wait_for("First.")
    terminal.send("/think off" + ENTER)
    says = "writes earlier messages differently" if model == "two-models" else "does not say what"
    terminal.wait_for(says)
    terminal.send("/think" + ENTER)
    terminal.wait_for("Thinking is off.")
    if model == "two-models":
        terminal.send("/think off" + ENTER)
        terminal.wait_for("Thinking is off already.")
    terminal.send(CTRL_D)
    assert terminal.exit_code() == 0
    assert [one.thinking for one in changes(home)] == [False]
