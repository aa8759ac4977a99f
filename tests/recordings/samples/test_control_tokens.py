"""Texts that spell a control token are found, whatever the recording calls one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.conversation.messages import message_of
from recordings.events import UserMessage, WireInfo
from recordings.samples.control_tokens import ControlTokens
from recordings.samples.sample import SampleTurn


def told(*tokens: str) -> ControlTokens:
    control = ControlTokens()
    control.follow(WireInfo(kind="ids", control_tokens=list(tokens)))
    return control


def turn(seq: int, text: str) -> SampleTurn:
    message = message_of(UserMessage(round=1, text=text))
    assert message is not None
    return SampleTurn(seq, message, origin="human")


WORDS = st.text("<|a>é", max_size=6)


@given(tokens=st.lists(WORDS, max_size=5), text=st.text("<|a>é ", max_size=40))
def test_a_token_is_found_wherever_a_text_has_it(tokens: list[str], text: str) -> None:
    named = [token for token in tokens if token]
    assert told(*tokens).are_spelled(text) == any(token in text for token in named)


@pytest.mark.parametrize(
    ("seq", "text", "spells"),
    [
        (3, "Read <|user|> aloud.", True),
        (3, json.dumps({"text": "<|user|>"}).replace("<", "\\u003c"), True),
        (3, "Read <|use|> aloud.", False),
        (0, "Read <|user|> aloud.", False),
    ],
)
def test_a_message_is_looked_at_with_its_json_escapes(seq: int, text: str, spells: bool) -> None:
    assert told("<|user|>").are_in(turn(seq, text)) is spells


def test_without_the_ids_wire_nothing_is_looked_for() -> None:
    control = ControlTokens()
    control.follow(None)
    control.follow(WireInfo(kind="messages"))
    assert not control.are_in(turn(3, "<|user|>"))


def test_after_a_change_to_messages_the_earlier_tokens_are_still_found() -> None:
    control = told("<|user|>")
    control.follow(WireInfo(kind="messages"))
    assert control.are_spelled("<|user|>")
