"""The wire of a session: prompts as messages, or as ids in a form that was proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recordings.conversation.restore import SentMessage
from recordings.events import WireInfo
from sii_cli.model.ids.prompt_form import PromptForm
from sii_cli.model.ids.reader import Reader
from sii_cli.model.ids.transcript import Retain, Transcript
from sii_cli.model.ids.values import ArgumentTypes
from sii_cli.model.ids.writer import Writer
from sii_cli.model.types import IdsPrompt
from sii_cli.tokenizer.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class IdsWire:
    """What is needed to send prompts as ids to a server."""

    vocabulary: Vocabulary
    form: PromptForm
    thinking: bool
    retain: Retain

    @property
    def info(self) -> WireInfo:
        """What a recording keeps of it."""
        return WireInfo(
            kind="ids",
            form=self.form.name,
            tokenizer_sha256=self.vocabulary.sha256,
            keep_reasoning=self.retain,
            control_tokens=sorted(self.vocabulary.control),
        )

    def writer(self) -> Writer:
        """Return a writer in the form."""
        return Writer(self.vocabulary, self.form, thinking=self.thinking)

    def prompts(self, front: Sequence[int], tools: Sequence[Mapping[str, Any]]) -> IdsPrompts:
        """Return what makes the prompts of a session with this front and these tool schemas."""
        return IdsPrompts(Transcript(self.writer(), front, self.retain), ArgumentTypes(tools))


class IdsPrompts:
    """Makes the prompts of one session, each with what reads the response to it."""

    def __init__(self, transcript: Transcript, types: ArgumentTypes) -> None:
        self._transcript = transcript
        self._types = types

    @property
    def retain(self) -> Retain:
        """What becomes of the reasoning of earlier rounds."""
        return self._transcript.retain

    def prompt(self, messages: Sequence[SentMessage], params: Mapping[str, Any]) -> IdsPrompt:
        """Return the prompt of messages, for a request with these fields."""
        writer, kwargs = self._transcript.writer, params.get("chat_template_kwargs") or {}
        thinking = False if kwargs.get("enable_thinking") is False else None
        opening = writer.opening(thinking=thinking)
        in_thought = writer.opens_thought(opening)
        return IdsPrompt(
            ids=self._transcript.prompt(messages, thinking=thinking),
            opening=opening,
            stops=sorted(writer.stops),
            new_reader=lambda: Reader(writer, self._types, in_thought=in_thought),
        )
