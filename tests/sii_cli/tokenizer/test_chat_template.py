"""A model's own chat template gives the ids that transformers gives."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from recordings.export.rendered import RenderFailed, render_sample
from recordings.samples.build import samples_of
from recordings.samples.policy import SamplePolicy
from recordings.samples.sample import Sample
from sii_cli.tokenizer.chat_template import TEMPLATE, ChatTemplate
from sii_cli.tokenizer.tokenizer_file import UnknownTokenizer
from tests.recordings.samples.told_session import ToldSession
from tests.sii_cli.tokenizer.small_tokenizer import CONTROL, make_folder
from tests.tiny_glm.environment import ensure_environment, is_ready

RENDER = Path(__file__).parents[2] / "tiny_glm" / "render_chats.py"
WILD = {
    "n": None,
    "deep": {"x": [1, 1.5, True]},
    "tag": "<b>&'\"",
    "word": "世界 é\n",
    "big": 10**30,
}


def told(folder: Path) -> Sample:
    """A session without ids, with wild arguments."""
    session = ToldSession.create(folder)
    session.user("Wie heißt es? <b>")
    session.step("", ("bash", json.dumps(WILD), "1 & 2"), reasoning="Look.", ids=False)
    session.step("Zwei.", ("bash", {}, "a"), ("bash", {"n": 2}, " b\n"), reasoning="So.", ids=False)
    session.step("Es heißt 世界.", reasoning="Done.", ids=False)
    session.end()
    (sample,) = samples_of(folder, SamplePolicy(without_ids="text"))
    assert isinstance(sample, Sample)
    return sample


def transformers_renders(folder: Path, chats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if not is_ready():
        pytest.skip("transformers is not installed for the tests: run `make server`.")
    done = subprocess.run(
        [ensure_environment(), RENDER, folder],
        input="".join(json.dumps(chat) + "\n" for chat in chats),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "model")


def test_a_rendered_sample_trains_what_glm_generates(tmp_path: Path, folder: Path) -> None:
    template = ChatTemplate(folder)
    made = render_sample(told(tmp_path / "s"), template)
    assert isinstance(made, Sample)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    first, second, last = (
        tokenizer.decode(made.ids[span.start : span.end], skip_special_tokens=False)
        for span in made.spans
        if span.trained
    )
    assert first.startswith("\n<think>Look.</think>\n<tool_call>bash\n<arg_key>n</arg_key>\n")
    assert "<arg_value>" + "<b>&'\"" in first
    assert first.endswith("</tool_call><|observation|>")
    assert second.startswith("\n<think>So.</think>\nZwei.\n<tool_call>bash\n</tool_call>\n")
    assert last == "\n<think>Done.</think>\nEs heißt 世界.<|user|>"


@pytest.mark.slow
@pytest.mark.vllm
def test_rendered_ids_are_those_of_transformers(tmp_path: Path, folder: Path) -> None:
    from recordings.export.chat import chat_messages

    sample = told(tmp_path / "s")
    messages = chat_messages(sample)
    template = ChatTemplate(folder)
    chats: list[dict[str, Any]] = [
        {"conversation": messages[:end], "tools": tools, "add_generation_prompt": opened}
        for end in range(2, len(messages) + 1)
        for opened in (False, True)
        for tools in (sample.tools, None)
    ]
    bare = [told_without_tools(sample) if chat["tools"] is None else sample for chat in chats]
    ours = [
        template.encode(
            template.render(
                chat["conversation"], one, add_generation_prompt=chat["add_generation_prompt"]
            )
        )
        for chat, one in zip(chats, bare, strict=True)
    ]
    theirs = transformers_renders(folder, chats)
    assert ours == [one["input_ids"] for one in theirs]
    made = render_sample(sample, template)
    assert isinstance(made, Sample)
    # The whole, and the stop token that ends it: transformers' rendering stops before.
    whole = next(
        one["input_ids"]
        for chat, one in zip(chats, theirs, strict=True)
        if chat["tools"] and chat["conversation"] == messages and not chat["add_generation_prompt"]
    )
    assert made.ids[:-1] == whole


@pytest.mark.slow
@pytest.mark.vllm
def test_a_template_without_generation_markers_masks_everything(
    tmp_path: Path, folder: Path
) -> None:
    """The mask that TRL's `assistant_only_loss` takes: nothing is trained, nothing is said."""
    from recordings.export.chat import chat_messages

    sample = told(tmp_path / "s")
    chat = {"conversation": chat_messages(sample), "return_assistant_tokens_mask": True}
    (made,) = transformers_renders(folder, [chat])
    assert 1 not in made["assistant_masks"]
    ours = render_sample(sample, ChatTemplate(folder))
    assert isinstance(ours, Sample)
    assert sum(ours.mask()) == ours.trained > 0


def told_without_tools(sample: Sample) -> Sample:
    from dataclasses import replace

    return replace(sample, tools=[])


def test_its_control_and_stop_tokens_are_the_models_own(folder: Path) -> None:
    template = ChatTemplate(folder)
    assert template.special == {*CONTROL}
    assert template.stops == {"<|endoftext|>", "<|user|>", "<|observation|>"}


@pytest.mark.parametrize(
    ("text", "told_as"),
    [
        ("{{ raise_exception('no tools here') }}", "no tools here"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ strftime_now('%d') }}", "strftime_now"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ 10 ** 10 ** 9 }}", r"\*\*"),
    ],
)
def test_a_template_that_fails_or_reaches_out_is_refused(
    tmp_path: Path, folder: Path, text: str, told_as: str
) -> None:
    (folder / TEMPLATE).write_text(text)
    with pytest.raises(RenderFailed, match=told_as):
        ChatTemplate(folder).render([], told(tmp_path / "s"))


@pytest.mark.parametrize("name", [TEMPLATE, "tokenizer.json"])
def test_a_folder_that_lacks_a_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(UnknownTokenizer):
        ChatTemplate(folder)
    (folder / name).write_text("{% for")
    with pytest.raises(UnknownTokenizer):
        ChatTemplate(folder)


@pytest.mark.hostile
@pytest.mark.parametrize("name", [TEMPLATE, "tokenizer.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UnknownTokenizer):
        ChatTemplate(folder)


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("generation_config.json", '{"eos_token_id": [[]]}'),
        ("tokenizer_config.json", '{"eos_token": {"x": 1}}'),
    ],
)
def test_settings_of_another_form_are_a_sentence(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(UnknownTokenizer):
        ChatTemplate(folder)


@pytest.mark.hostile
def test_deep_settings_are_as_if_there_were_none(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 200_000)
    (folder / "generation_config.json").unlink(missing_ok=True)
    ChatTemplate(folder)
