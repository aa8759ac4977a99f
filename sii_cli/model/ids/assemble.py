"""Chunks of a streamed completion → deltas read from its ids, the whole response at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from recordings.events import CallRequest, Flag, Usage
from sii_cli.model.assemble import ENDED, Assembler
from sii_cli.model.types import Delta, IdsPrompt

OF_READER: frozenset[Flag] = frozenset(
    {
        "argument_unterminated",
        "call_not_parsed",
        "call_unterminated",
        "control_in_text",
        "key_twice",
        "text_after_call",
        "thought_unterminated",
    }
)
"""Flags of what the model wrote: the recording has the text of its ids too then."""


class IdsAssembler(Assembler):
    """Reassembles one streamed completion. The text that the server sends is not used."""

    def __init__(
        self,
        prompt: IdsPrompt,
        *,
        max_tokens: int | None,
        context_length: int | None,
        logprobs: bool = False,
    ) -> None:
        super().__init__(max_tokens=max_tokens, context_length=context_length, logprobs=logprobs)
        self._sent = prompt.ids
        self._reader = prompt.new_reader()

    @property
    def reasoning(self) -> str:
        """The reasoning so far."""
        return self._reader.reasoning

    @property
    def content(self) -> str:
        """The content so far."""
        return self._reader.content

    def _add_choice(self, choice: dict[str, Any]) -> Iterator[Delta]:
        self._take_prompt(choice)
        if self._logprobs is not None:
            self._take_logprobs(choice)
        for delta in self._reader.feed(self._take_ids(choice)):
            self._collected(delta.text)
            yield delta
        if self._reader.characters > self.limits.characters:  # also what no delta has shown yet
            raise self._too_long()
        self._take_finish(choice)
        if choice.get("finish_reason"):
            yield from self._reader.finish()

    @property
    def _is_complete(self) -> bool:
        return self.finish_reason in ENDED and self._reader.stop is not None

    @property
    def _counted(self) -> Usage | None:
        """The server's counts, and the tokens of reasoning, which it does not count here."""
        if self._usage is None:
            return None
        return self._usage.model_copy(update={"reasoning_tokens": self._reader.reasoning_tokens})

    @property
    def _text(self) -> str | None:
        return None if self.generated_ids is None else self._reader.text

    def _whole_calls(self) -> Iterator[CallRequest]:
        yield from self._reader.calls(self._response_id)

    def _flags(self) -> Iterator[Flag]:
        yield from self._reader.flags
        if self._prompt_ids is not None and self._prompt_ids != self._sent:
            yield "prompt_ids_differ"
        yield from self._flags_of_ids()
