"""Writes messages as ids in a form; text from outside can spell no control token."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sii_cli.model.ids.prompt_form import Around, PromptForm
from sii_cli.tokenizer.vocabulary import Piece, Vocabulary

Call = tuple[str, Mapping[str, Any]]
"""A tool's name, and the arguments."""


class Writer:
    """Writes a conversation in one form, for a model that thinks or does not."""

    def __init__(self, vocabulary: Vocabulary, form: PromptForm, *, thinking: bool = True) -> None:
        self.vocabulary = vocabulary
        self.form = form
        self.thinking = thinking
        control = vocabulary.control
        self.stops = frozenset(control[name] for name in form.stops if name in control)
        """Ids that end a turn."""
        self.turn_end = control.get(form.turn_end)
        """The id that every turn ends with, where the form has one."""
        self.after_turn = self._ids(form.after_turn)
        self.role = self._ids(form.assistant)
        self.dropped = self._ids(form.assistant, form.dropped)
        """What a turn begins with whose reasoning is dropped."""
        self.thought_end = self.control_in(form.thought[1])
        self.call_start = self.control_in(form.call[0])
        self.call_end = self.control_in(form.call[1])
        self._results_start = self._ids(form.results[0])
        self._results_end = self._ids(form.results[1])

    def opening(self, *, thinking: bool | None = None) -> list[int]:
        """Return what a prompt ends with."""
        thinks = self.thinking if thinking is None else thinking
        form = self.form
        return self._ids(form.assistant, form.opening if thinks else form.opening_unthinking)

    def opens_thought(self, opening: list[int]) -> bool:
        """Return whether a prompt that ends so has begun a thought."""
        start = self.control_in(self.form.thought[0])
        return start in opening and self.thought_end not in opening

    def user(self, text: str) -> list[int]:
        """Return the ids of a user's message."""
        after = "" if self.thinking else self.form.unthinking_user
        before, behind = self.form.user
        return self._written(self._own(before), [text], self._own(after), self._own(behind))

    def system(self, text: str) -> list[int]:
        """Return the ids of a system message."""
        return self._around(self.form.system, text)

    def result(self, text: str) -> list[int]:
        """Return the ids of one observation."""
        return self._around(self.form.result, text)

    def results(self, observations: Iterable[list[int]]) -> list[int]:
        """Return the ids of the observations of one step, each already written."""
        written = list(self._results_start)
        for ids in observations:
            written += ids
        return written + self._results_end

    def turn(self, reasoning: str | None, content: str, calls: Iterable[Call]) -> list[int]:
        """Return a turn that no model generated, with its role: an edited one, an imported one.

        `None` for reasoning that is dropped.
        """
        form = self.form
        pieces: list[Piece] = [*self.role]
        if reasoning is None:
            pieces += self._own(form.dropped)
        else:
            pieces += [*self._own(form.thought[0]), reasoning.strip()]
            pieces += [*self._own(form.thought[1]), *self._own(form.after_thought)]
        if content.strip():
            pieces += [form.before_content, content.strip()]
        for number, (name, arguments) in enumerate(calls):
            pieces += [form.between] if number or content.strip() else []
            pieces += [*self._own(form.call[0]), *self._call(name, arguments)]
            pieces += self._own(form.call[1])
        return self.vocabulary.join(pieces)

    def control_in(self, text: str) -> int | None:
        """Return the first control token in a string of the form, or `None`."""
        return next((one for one in self._own(text) if isinstance(one, int)), None)

    def _call(self, name: str, arguments: Mapping[str, Any]) -> Iterator[Piece]:
        form = self.form
        if form.calls == "json":
            shown = json.dumps({"name": name}, ensure_ascii=False)[:-1]
            yield f'{shown}, "arguments": {json.dumps(arguments, ensure_ascii=False)}}}'
            return
        yield name
        yield from self._own(form.after_name)
        for key, value in arguments.items():
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for around, text in ((form.key, key), (form.value, shown)):
                yield from self._own(around[0])
                yield text
                yield from self._own(around[1])

    def _own(self, text: str) -> Iterator[Piece]:
        return self.vocabulary.pieces(text)

    def _ids(self, *texts: str) -> list[int]:
        return self.vocabulary.join(piece for text in texts for piece in self._own(text))

    def _around(self, around: Around, text: str) -> list[int]:
        return self._written(self._own(around[0]), [text], self._own(around[1]))

    def _written(self, *parts: Iterable[Piece]) -> list[int]:
        return self.vocabulary.join(piece for part in parts for piece in part)
