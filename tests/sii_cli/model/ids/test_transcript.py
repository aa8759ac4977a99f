"""A prompt only grows; where it changes, it changes as the template does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.conversation.messages import encode_message
from recordings.conversation.restore import SentMessage
from sii_cli.model.ids.transcript import Retain, Transcript
from sii_cli.model.ids.wire import IdsWire
from tests.sii_cli.model.ids.offline import (
    FAMILIES,
    GLM,
    Family,
    Server,
    form,
    generated,
    vocabulary,
    writer,
)
from tests.sii_cli.model.ids.turns import call, turn, turns

SYSTEM = {"role": "system", "content": "You are sii."}


@cache
def server(family: Family) -> Server:
    return Server(family)


@cache
def front(family: Family) -> list[int]:
    return server(family).ids([SYSTEM], prompt=False)


class Told:
    """A session that grows, with the prompts that were sent."""

    def __init__(self, family: Family, retain: Retain) -> None:
        self.family = family
        self.transcript = Transcript(writer(family), front(family), retain)
        self.messages: list[SentMessage] = []
        self.say(SYSTEM)
        self.prompts: list[list[int]] = []

    def say(self, message: dict[str, Any], **about: Any) -> None:
        self.messages.append(SentMessage(len(self.messages), encode_message(message), **about))

    def user(self, text: str, *, steers: bool = False) -> None:
        self.say({"role": "user", "content": text}, steers=steers)

    def system(self, text: str) -> None:
        self.say({"role": "system", "content": text})

    def results(self, *texts: str) -> None:
        for text in texts:
            self.say({"role": "tool", "tool_call_id": "1", "content": text})

    def generate(self, ids: list[int]) -> list[int]:
        """Ask with the prompt, take these ids for the response; return both."""
        prompt = self.prompt()
        opening = self.transcript.writer.opening()
        self.say({"role": "assistant", "content": "-"}, generated=ids, opening=opening)
        return prompt + ids

    def prompt(self) -> list[int]:
        prompt = self.transcript.prompt(self.messages)
        self.prompts.append(prompt)
        return prompt


def extends(before: list[int], prompt: list[int], stops: frozenset[int]) -> bool:
    """Whether a prompt begins with all before it, but perhaps for the last stop token."""
    if prompt[: len(before)] == before:
        return True
    return before[-1] in stops and prompt[: len(before) - 1] == before[:-1]


@cache
def whole_turns(family: Family) -> list[list[int]]:
    """What a model of the family may generate, drifting turns among it, each ended by itself."""
    if family == "Qwen3":
        calls = '<tool_call>\n{"name": "bash", "arguments": {"command":"ls"}}\n</tool_call>'
        texts = ("<think>\nT\n</think>\n\nDone.", f"<think>\n\n</think>\n\n{calls}", calls)
        ends = ("<|im_end|>", "<|endoftext|>")
        return [generated(family, text + end) for text in texts for end in ends]
    stops = writer(family).stops
    return [one.ids for one in turns(family) if one.ids[-1] in stops]


@pytest.mark.parametrize("retain", ["all", "loop"])
@pytest.mark.parametrize("family", FAMILIES)
@given(data=st.data())
def test_a_session_without_a_break_only_grows(
    family: Family, retain: Retain, data: st.DataObject
) -> None:
    told = Told(family, retain)
    told.user("Begin.")
    stops = told.transcript.writer.stops
    before: list[int] = []
    for _ in range(data.draw(st.integers(1, 6))):
        asked = told.prompt()
        assert not before or extends(before, asked, stops)
        before = told.generate(data.draw(st.sampled_from(whole_turns(family))))
        for _ in range(data.draw(st.integers(0, 2))):
            told.results(*data.draw(st.lists(st.text(max_size=9), min_size=1, max_size=3)))
        if data.draw(st.booleans()):
            told.system(data.draw(st.text(max_size=9)))
        if data.draw(st.booleans()):
            told.user(data.draw(st.text(max_size=9)), steers=retain == "loop")
    assert extends(before, told.prompt(), stops)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_messages_give_the_same_ids_again(family: Family) -> None:
    told = Told(family, "template")
    told.user("Begin.")
    for ids in whole_turns(family)[:5]:
        told.generate(ids)
        told.results("ok")
    told.user("Again.")
    again = Transcript(writer(family), front(family), "template")
    assert again.prompt(told.messages) == told.prompt()


def as_template(family: Family, *messages: dict[str, Any]) -> list[int]:
    return server(family).ids([SYSTEM, *messages])


def clean_turn(family: Family, calls: int) -> tuple[list[int], dict[str, Any]]:
    """A turn that a template renders as it was generated, and its message."""
    made = [{"name": "bash", "arguments": '{"command": "ls"}'}] * calls
    message: dict[str, Any] = {"role": "assistant", "content": "C", "reasoning_content": "T"}
    if calls:
        message["tool_calls"] = [
            {"id": str(number), "type": "function", "function": one}
            for number, one in enumerate(made)
        ]
    if family == "Qwen3":
        one = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'
        text = "<think>\nT\n</think>\n\nC" + f"\n{one}" * calls + "<|im_end|>"
    else:
        text = turn(family, "T", "C", *[call(family, "bash", ("command", "ls"))] * calls)
    return generated(family, text), message


@pytest.mark.parametrize("family", FAMILIES)
def test_a_prompt_is_what_the_template_renders(family: Family) -> None:
    (loop_ids, loop), (answer_ids, answer) = clean_turn(family, 2), clean_turn(family, 0)
    user, note = {"role": "user", "content": "U"}, {"role": "system", "content": "N"}
    results = [
        {"role": "tool", "tool_call_id": "0", "content": "1\n"},
        {"role": "tool", "tool_call_id": "1", "content": " 2"},
    ]
    told = Told(family, "template")
    said: list[dict[str, Any]] = []
    for message, ids in (
        *((user, None), (loop, loop_ids), (results[0], None), (results[1], None), (note, None)),
        *((answer, answer_ids), (note, None), (user, None), (loop, loop_ids), (results[0], None)),
        *((user, None), (answer, answer_ids), (user, None)),
    ):
        said.append(message)
        if ids is None:
            told.say(message)
        else:
            told.generate(ids)
        if message["role"] != "assistant":
            assert told.prompt() == as_template(family, *said), [one["role"] for one in said]


@pytest.mark.parametrize("family", GLM)
@pytest.mark.parametrize(
    ("retain", "steers", "drops"),
    [
        ("template", True, True),
        ("template", False, True),
        ("loop", True, False),
        ("loop", False, True),
        ("all", False, False),
    ],
)
def test_reasoning_is_dropped_where_the_setting_says(
    family: Family, retain: Retain, steers: bool, drops: bool
) -> None:
    told = Told(family, retain)
    told.user("Begin.")
    ids, _ = clean_turn(family, 1)
    told.generate(ids)
    told.results("ok")
    told.user("Not so.", steers=steers)
    spelled = vocabulary(family).spell(told.prompt())
    assert ("T</think>" not in spelled) == drops


@pytest.mark.parametrize("family", GLM)
def test_a_call_that_was_cut_off_is_taken_back(family: Family) -> None:
    told = Told(family, "all")
    told.user("Begin.")
    whole = generated(family, turn(family, "T", "C", call(family, "bash", ("command", "ls"))))
    start = whole.index(vocabulary(family).control["<tool_call>"])
    told.generate(whole[: start + 3])
    told.system("It was cut off.")
    spelled = vocabulary(family).spell(told.prompt())
    assert "<tool_call>" not in spelled
    assert told.prompt()[len(told.prompts[0]) :][:start] == whole[:start]


@pytest.mark.parametrize("family", GLM)
def test_a_thought_that_was_cut_off_is_ended(family: Family) -> None:
    told = Told(family, "all")
    told.user("Begin.")
    opened = "" if family == "GLM-4.7" else "\n<think>"
    before = told.generate(generated(family, f"{opened}I think of"))
    told.system("It was cut off.")
    prompt = told.prompt()
    assert prompt[: len(before)] == before
    assert prompt[len(before)] == vocabulary(family).control["</think>"]


@pytest.mark.parametrize("family", GLM)
def test_a_stop_token_gives_way_to_the_role_that_follows(family: Family) -> None:
    told = Told(family, "all")
    told.user("Begin.")
    before = told.generate(generated(family, turn(family, "T", "Done.")))
    told.system("The workspace changed.")
    prompt = told.prompt()
    assert prompt[: len(before) - 1] == before[:-1]
    assert prompt[len(before) - 1] == vocabulary(family).control["<|system|>"]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_turn_with_removed_ids_is_written_from_its_text(family: Family) -> None:
    _, message = clean_turn(family, 1)
    user, result = {"role": "user", "content": "U"}, {"role": "tool", "content": "ok"}
    told = Told(family, "template")
    told.say(user)
    told.say(message, generated=[-1] * 9, opening=told.transcript.writer.opening())
    told.say(result)
    assert told.prompt() == as_template(family, user, message, result)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_turn_that_nobody_generated_is_written_from_its_text(family: Family) -> None:
    _, message = clean_turn(family, 2)
    user, result = {"role": "user", "content": "U"}, {"role": "tool", "content": "ok"}
    told = Told(family, "template")
    for one in (user, message, result):
        told.say(one)
    assert told.prompt() == as_template(family, user, message, result)


def test_a_turn_keeps_the_opening_that_it_had() -> None:
    """A session that thought is resumed without thinking: its turns stay as they were."""
    told = Told("GLM-4.7", "all")
    told.user("Begin.")
    ids, _ = clean_turn("GLM-4.7", 1)
    before = told.generate(ids)
    told.results("ok")
    quiet = writer("GLM-4.7", thinking=False)
    prompt = Transcript(quiet, front("GLM-4.7"), "all").prompt(told.messages)
    assert prompt[: len(before)] == before
    assert prompt[-1] == vocabulary("GLM-4.7").control["</think>"]
    forgotten = [replace(one, opening=None) for one in told.messages]
    other = Transcript(quiet, front("GLM-4.7"), "all").prompt(forgotten)
    assert other[: len(before)] != before


def test_one_request_may_ask_for_no_thought() -> None:
    """As the second try at a summary does."""
    wire = IdsWire(vocabulary("GLM-4.7"), form("GLM-4.7"), thinking=True, retain="all")
    prompts = wire.prompts(front("GLM-4.7"), [])
    said = Told("GLM-4.7", "all").messages
    quiet = prompts.prompt(said, {"chat_template_kwargs": {"enable_thinking": False}})
    assert vocabulary("GLM-4.7").spell(quiet.opening) == "<|assistant|></think>"
    assert quiet.ids[-len(quiet.opening) :] == quiet.opening
    reader = quiet.new_reader()
    reader.feed(generated("GLM-4.7", "So far.<|user|>"))
    assert (reader.reasoning, reader.content) == ("", "So far.")
    usual = prompts.prompt(said, {})
    assert vocabulary("GLM-4.7").spell(usual.opening) == "<|assistant|><think>"


def test_a_text_that_spells_the_switch_for_no_thought_does_not_stand_for_it() -> None:
    """It is plain text there, as all text is; the form adds the token."""
    own, quiet = vocabulary("GLM-4.5"), writer("GLM-4.5", thinking=False)
    for text in ("Go.", "Go./nothink"):
        ids = quiet.user(text)
        assert own.spell(ids) == f"<|user|>\n{text}/nothink"
        assert (ids.count(own.control["/nothink"]), ids[-1]) == (1, own.control["/nothink"])
    assert own.control["/nothink"] not in writer("GLM-4.5").user("Go./nothink")
