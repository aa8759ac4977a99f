"""Rendering samples without ids through the model's chat template, and checking those with ids.

Where a response begins and ends is found by rendering the messages before it, as a server does; a
sample for which that is not a prefix of the whole is left out. A sample of n steps is rendered 2n
times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from recordings.export.chat import chat_messages
from recordings.samples.sample import LeftOut, Reason, Sample, Span

Messages = Sequence[Mapping[str, Any]]
_ASKED = {"role": "user", "content": "a"}
_SAID: dict[str, Any] = {"role": "assistant", "content": "b"}
_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}
_OBSERVED = {"role": "tool", "content": "d", "tool_call_id": "c", "name": "f"}


class RenderFailed(Exception):
    """Raised when the template does not accept some messages; says why."""


class TemplateRenderer(Protocol):
    """A model's chat template and its tokenizer."""

    special: frozenset[str]
    """Texts that the tokenizer encodes as control tokens."""
    stops: frozenset[str]
    """Control tokens at which the model stops."""

    def render(
        self, messages: Messages, sample: Sample, *, add_generation_prompt: bool = False
    ) -> str:
        """Render messages with a sample's tools and template arguments. Raises `RenderFailed`."""
        ...

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, with control tokens."""
        ...


class _Refused(Exception):
    def __init__(self, reason: Reason, detail: str, seq: int | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.seq = reason, detail, seq


def render_sample(sample: Sample, renderer: TemplateRenderer) -> Sample | LeftOut:
    """Return a sample with ids, spans and mask from rendering its messages."""
    try:
        return _render(sample, renderer)
    except RenderFailed as error:
        return LeftOut(sample.recording, "not_renderable", str(error), sample.number)
    except _Refused as refused:
        about = (refused.reason, refused.detail, sample.number)
        return LeftOut(sample.recording, *about, seq=refused.seq)


def missing_role_marker(sample: Sample, renderer: TemplateRenderer) -> LeftOut | None:
    """Return where the template's beginning of a message is not before a trained response."""
    try:
        before = renderer.render([_ASKED], sample)
        opened = renderer.render([_ASKED], sample, add_generation_prompt=True)
    except RenderFailed as error:
        return LeftOut(sample.recording, "not_renderable", str(error), sample.number)
    marker = renderer.encode(opened.removeprefix(before))
    for span in sample.spans:
        if span.trained and sample.ids[max(0, span.start - len(marker)) : span.start] != marker:
            detail = f"no {opened.removeprefix(before)!r} before id {span.start}"
            reason: Reason = "role_marker_missing"
            return LeftOut(sample.recording, reason, detail, sample.number, seq=span.seq)
    return None


def first_difference(one: Sequence[int], two: Sequence[int]) -> int | None:
    """Return the place of the first id that differs, or `None`."""
    if one == two:
        return None
    pairs = enumerate(zip(one, two, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(two)))


def _render(sample: Sample, renderer: TemplateRenderer) -> Sample:
    _refuse_control_tokens(sample, renderer)
    messages = chat_messages(sample)
    whole = renderer.render(messages, sample)
    ids: list[int] = []
    spans: list[Span] = []
    at = turns_done = 0
    for place, turn in enumerate(sample.turns):
        if not turn.trained:
            continue
        before = renderer.render(messages[:place], sample, add_generation_prompt=True)
        through = renderer.render(messages[: place + 1], sample)
        if not (whole.startswith(through) and through.startswith(before) and len(before) >= at):
            detail = "what was sent before it is no beginning of the whole"  # words: allow
            raise _Refused("not_renderable", detail, turn.seq)
        end, generated = _generation(sample, renderer, turn.seq, messages[place], before, through)
        if not whole.startswith(generated, len(before)) and place + 1 < len(messages):
            raise _Refused("stop_token_missing", "another token follows it", turn.seq)
        sources = tuple(one.seq for one in sample.turns[turns_done:place])
        for text, kind in ((whole[at : len(before)], "prompt"), (generated, "generated")):
            start = len(ids)
            ids += renderer.encode(text)
            if kind == "prompt" and len(ids) > start:
                spans.append(Span(start, len(ids), turn.seq, "prompt", sources=sources))
            elif kind == "generated":
                spans.append(Span(start, len(ids), turn.seq, "generated", trained=True))
        at, turns_done = end, place + 1
    return replace(sample, ids=ids, spans=tuple(spans), rendered=True)


def _generation(
    sample: Sample,
    renderer: TemplateRenderer,
    seq: int,
    message: Mapping[str, Any],
    before: str,
    through: str,
) -> tuple[int, str]:
    """Return where a response ends in the whole, and its text with the stop token."""
    text = through[len(before) :]
    found = [text.find(stop) + len(stop) for stop in renderer.stops if stop in text]
    if found:  # what the template writes after the stop token is not generated
        return len(before) + min(found), text[: min(found)]
    stop = _closing_token(sample, renderer, with_call=bool(message.get("tool_calls")))
    if stop is None:
        raise _Refused("stop_token_missing", "the template writes none after it", seq)
    return len(through) + len(stop), text + stop


def _closing_token(sample: Sample, renderer: TemplateRenderer, *, with_call: bool) -> str | None:
    """Return the stop token with which the template begins the next message."""
    said = {**_SAID, "tool_calls": [_CALL]} if with_call else _SAID
    follows = _OBSERVED if with_call else _ASKED
    before = renderer.render([_ASKED, said], sample)
    after = renderer.render([_ASKED, said, follows], sample).removeprefix(before)
    return next((stop for stop in renderer.stops if after.startswith(stop)), None)


def _refuse_control_tokens(sample: Sample, renderer: TemplateRenderer) -> None:
    """Refuse a control token in a text: the tokenizer would encode it as one."""
    for turn in sample.turns:
        for text in turn.texts():
            found = [token for token in renderer.special if token in text]
            if found:
                raise _Refused("not_renderable", f"{min(found)} stands in its text", turn.seq)
