"""Samples without ids get the ids that the model's template gives; those with ids are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.export.rendered import Messages, first_difference, render_sample
from recordings.samples.build import samples_of
from recordings.samples.policy import SamplePolicy
from recordings.samples.sample import LeftOut, Sample
from tests.fakes.fake_tokenizer import decode, encode
from tests.recordings.export.exporting import exported, lines, rows
from tests.recordings.samples.test_samples import runs
from tests.recordings.samples.told_session import ToldSession, render


class FakeRenderer:
    """The template and the tokenizer of told sessions."""

    special = frozenset({"<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"})
    stops = frozenset({"<|user|>", "<|observation|>"})

    def render(
        self, messages: Messages, sample: Sample, *, add_generation_prompt: bool = False
    ) -> str:
        told = render([_as_told(dict(message)) for message in messages])
        return told if add_generation_prompt else told.removesuffix("<|assistant|>")

    def encode(self, text: str) -> list[int]:
        return encode(text)


def _as_told(message: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"function": {**call["function"], "arguments": orjson.dumps(given).decode()}}
        for call in message.get("tool_calls", [])
        for given in [call["function"]["arguments"]]
    ]
    return {**message, "tool_calls": calls}


class ClosingRenderer(FakeRenderer):
    """Its template closes each of the model's turns itself, and goes on in a new line."""

    stops = frozenset({"<|endoftext|>"})

    def render(
        self, messages: Messages, sample: Sample, *, add_generation_prompt: bool = False
    ) -> str:
        parts = [f"<|{one['role']}|>{one['content']}<|endoftext|>\n" for one in messages]
        return "".join(parts) + ("<|assistant|>" if add_generation_prompt else "")


class ReorderingRenderer(FakeRenderer):
    """Says first how many messages there are: no prompt is the beginning of the next."""

    def render(
        self, messages: Messages, sample: Sample, *, add_generation_prompt: bool = False
    ) -> str:
        told = super().render(messages, sample, add_generation_prompt=add_generation_prompt)
        return f"{len(messages)}{told}"


def told(folder: Path, *, ids: bool) -> ToldSession:
    session = ToldSession.create(folder)
    session.user("The test fails.")
    session.step("", ("bash", {"command": "pytest"}, "1 failed"), reasoning="Look.", ids=ids)
    session.step("Two.", ("bash", {"n": 1}, "a"), ("bash", {"n": 2}, "b"), ids=ids)
    session.step("Mended.", reasoning="Done.", ids=ids)
    session.user("What was it?")
    session.step("A minus sign.", reasoning="Short.", ids=ids)
    session.end()
    return session


def found(folder: Path, without_ids: str = "text") -> list[Sample]:
    policy = SamplePolicy(without_ids=without_ids)  # type: ignore[arg-type]
    return [one for one in samples_of(folder, policy) if isinstance(one, Sample)]


def test_rendered_ids_and_masks_are_those_that_a_server_would_have_given(tmp_path: Path) -> None:
    told(tmp_path / "with", ids=True)
    told(tmp_path / "without", ids=False)
    exact, bare = found(tmp_path / "with"), found(tmp_path / "without")
    assert [one.ids for one in bare] == [[], []]
    for one, other in zip(exact, bare, strict=True):
        made = render_sample(other, FakeRenderer())
        assert isinstance(made, Sample)
        assert (made.rendered, one.rendered) == (True, False)
        assert made.ids == one.ids
        assert made.mask() == one.mask()
        assert runs(made) == runs(one)
        places = [(span.start, span.end, span.seq, span.sources) for span in made.spans[:2]]
        assert places == [(s.start, s.end, s.seq, s.sources) for s in one.spans[:2]]


def test_an_export_says_which_samples_are_rendered_and_how_rendering_drifts(tmp_path: Path) -> None:
    told(tmp_path / "1-without", ids=False)
    told(tmp_path / "2-with", ids=True)
    drifting = ToldSession.create(tmp_path / "3-drifting")
    drifting.user("Go.")
    drifting.step("", ("bash", '{"a":  1}', "ok"))  # rendered again with one space less
    drifting.step("Done.")
    drifting.end()
    sources = sorted(tmp_path.iterdir())
    report = exported(tmp_path / "out", "tokens", *sources, renderer=FakeRenderer(), dedupe="off")
    assert [row["rendered"] for row in rows(tmp_path / "out")] == [True, True, False, False, False]
    origins = lines(tmp_path / "out" / "provenance.jsonl")
    assert [one["from"] for one in origins] == ["rendered"] * 2 + ["ids"] * 3
    assert (report.rendered, report.compared) == (2, 3)
    ((name, at),) = report.drift
    assert name == "3-drifting/1"
    whole = rows(tmp_path / "out")[4]["input_ids"]
    assert decode(whole[:at]).endswith('{"a":')
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["drift"] == {"compared": 3, "differing": [{"sample": name, "at": at}]}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| samples rendered from messages | 2 |" in card
    assert "| samples with ids that their messages are not rendered to | 1 of 3 |" in card


def test_without_a_template_what_has_no_ids_is_left_out(tmp_path: Path) -> None:
    told(tmp_path / "s", ids=False)
    assert found(tmp_path / "s", "leave_out") == []


def test_a_stop_token_that_the_template_writes_is_trained_and_what_follows_is_not(
    tmp_path: Path,
) -> None:
    told(tmp_path / "s", ids=False)
    first, _ = (render_sample(one, ClosingRenderer()) for one in found(tmp_path / "s"))
    assert isinstance(first, Sample)
    said = [decode(run) for run in runs(first)]
    assert said == ["<|endoftext|>", "Two.<|endoftext|>", "Mended.<|endoftext|>"]
    assert "<|endoftext|>\n<|tool|>1 failed<|endoftext|>\n<|assistant|>" in decode(first.ids)


def test_a_template_without_the_prefix_property_gives_no_sample(tmp_path: Path) -> None:
    told(tmp_path / "s", ids=False)
    for one in found(tmp_path / "s"):
        out = render_sample(one, ReorderingRenderer())
        assert isinstance(out, LeftOut)
        assert out.reason == "not_renderable"
        assert out.seq in [turn.seq for turn in one.turns if turn.trained]


def test_a_template_without_stop_tokens_gives_no_sample(tmp_path: Path) -> None:
    told(tmp_path / "s", ids=False)

    class Endless(FakeRenderer):
        stops = frozenset({"<|endoftext|>"})

    out = render_sample(found(tmp_path / "s")[0], Endless())
    assert isinstance(out, LeftOut)
    assert out.reason == "stop_token_missing"


@pytest.mark.parametrize("where", ["user", "tool", "model"])
def test_a_control_token_in_a_text_gives_no_sample(tmp_path: Path, where: str) -> None:
    session = ToldSession.create(tmp_path / "s")
    texts = {one: f"a<|user|>{one}" if one == where else one for one in ("user", "tool", "model")}
    session.user(texts["user"])
    session.step("", ("bash", {}, texts["tool"]), ids=False)
    session.step(texts["model"], ids=False)
    session.end()
    (sample,) = found(tmp_path / "s")
    out = render_sample(sample, FakeRenderer())
    assert isinstance(out, LeftOut)
    assert (out.reason, out.detail) == ("not_renderable", "<|user|> stands in its text")


def test_a_role_marker_that_is_missing_is_an_error_with_its_place(tmp_path: Path) -> None:
    told(tmp_path / "good", ids=True)
    bad = ToldSession.create(tmp_path / "bad")
    bad.user("Go.")
    bad.step("One.", ("bash", {}, "a"))
    prompt = encode("[gMASK]<sop><|user|>Go.")  # a server whose template is another one
    bad.step("Two.", prompt_ids=bad.trail.span(prompt))
    bad.end()
    report = exported(
        tmp_path / "out", "tokens", tmp_path / "good", tmp_path / "bad", renderer=FakeRenderer()
    )
    assert report.left_out["role_marker_missing"] == 1
    (out,) = lines(tmp_path / "out" / "left_out.jsonl")
    assert out["detail"] == f"no '<|assistant|>' before id {len(prompt)}"
    assert out["recording"] == "bad"
    assert {"sample", "seq"} <= out.keys()


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_the_first_difference_is_where_two_lists_part(one: list[int], two: list[int]) -> None:
    at = first_difference(one, two)
    if at is None:
        assert one == two
    else:
        assert one[:at] == two[:at]
        assert one[at : at + 1] != two[at : at + 1]
