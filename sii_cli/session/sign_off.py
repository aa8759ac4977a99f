"""What a practitioner says of their own session: marks on steps, notes, and whether it is done.

Each is a review line of the role `practitioner`, which approves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from recordings.errors import UNREADABLE
from recordings.events import ModelResponse
from recordings.index.names import name_in, name_tag
from recordings.reviews.review import FLAGS, LONGEST_TEXT, Mark, Said, StepReview
from recordings.reviews.reviews import add_review, counted_reviews
from recordings.reviews.reviews import tags as tags_of
from recordings.storage.log import event_of, head_of, read_lines
from recordings.trust.person_key import find_person_key
from sii_cli.assembly import make_key, make_redactor
from sii_cli.config.settings import CONFIG_FILE, Settings
from sii_cli.errors import UsageError

MARKS: dict[str, Mark] = {"good": "good", "bad": "bad"}
MARK_WORDS = (*MARKS, *FLAGS)
"""What a step may be marked with."""


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A step of a recording, to choose from."""

    number: int
    seq: int
    """Event of the response."""
    what: str
    """What the model wrote or called."""


@dataclass(frozen=True, slots=True)
class SignOff:
    """Writes what the speaker of a session says of it."""

    settings: Settings
    folder: Path

    def mark(self, word: str, comment: str = "", step: int | None = None) -> RecordedStep:
        """Mark a step, or the last one, with one of `MARK_WORDS`, and return it.

        Raises `UsageError` and what `add_review` raises.
        """
        if word not in MARK_WORDS:
            raise UsageError(f"A step is marked {', '.join(MARK_WORDS[:-1])} or {MARK_WORDS[-1]}.")
        marked = self._step(step)
        said = StepReview(
            seq=marked.seq,
            comment=self._text(comment),
            mark=MARKS.get(word),
            flags=() if word in MARKS else (word,),
        )
        self._add(steps=[said])
        return marked

    def end_task(self, done: bool, note: str = "", steps: int | None = None) -> None:
        """Say whether the task is done, of a session that had so many steps.

        Raises `UsageError`, also when it went on after its recording, and what `add_review` raises.
        """
        if steps is not None and steps > self._step(None).number:
            raise UsageError(
                "The session went on after its recording ended: a verdict would be on work that is "
                "not in it. /mark and /note still speak of what was recorded."
            )
        self._add(verdict="approve" if done else "reject", note=self._text(note))

    def leave_note(self, note: str) -> None:
        """Leave words to the next person. Raises `UsageError` and what `add_review` raises."""
        self._add(note=self._text(note))

    def rename(self, name: str, tags: Sequence[str] = ()) -> None:
        """Give the session a name instead of the one it has, and add tags.

        Raises `UsageError` and what `add_review` raises.
        """
        before = [tag for tag in self._tags() if name_in([tag]) is not None] if name else []
        added = [*tags, *([name_tag(self._text(name))] if name else [])]
        self._add(add_tags=added, remove_tags=[tag for tag in before if tag not in added])

    def _tags(self) -> set[str]:
        return tags_of(counted_reviews(self.folder, None))

    def _add(self, **said: Unpack[Said]) -> None:
        key_home = self.settings.key_home
        add_review(
            self.folder,
            speaker_of(self.settings),
            role="practitioner",
            key=make_key(self.settings),
            person=find_person_key(key_home) if key_home is not None else None,
            **said,
        )

    def _step(self, number: int | None) -> RecordedStep:
        found = None
        for step in recorded_steps(self.folder):
            if number is None or step.number == number:
                found = step
        if found is None:
            which = "any step yet" if number is None else f"step {number}"
            raise UsageError(f"The session does not have {which}.")
        return found

    def _text(self, text: str) -> str:
        if len(text) > LONGEST_TEXT:
            raise UsageError(f"This has more than {LONGEST_TEXT:,} characters: say it in fewer.")
        return make_redactor(self.settings).text(text)


def speaker_of(settings: Settings) -> str:
    """Return who works in the session. Raises `UsageError` when that is not set."""
    if settings.speaker is None:
        raise UsageError(
            "Say who you are, by a pseudonym: start with --speaker NAME, or write "
            f'`speaker = "NAME"` in {(settings.key_home or settings.home) / CONFIG_FILE}.'
        )
    return settings.speaker


def recorded_steps(folder: Path) -> Iterator[RecordedStep]:
    """Yield the steps of a recording in order; a line that cannot be read is left out."""
    for line in read_lines(folder):
        try:
            if head_of(folder, line).type != ModelResponse.type:
                continue
            event = event_of(folder, line)
        except UNREADABLE:
            continue
        response = event.data
        assert isinstance(response, ModelResponse)
        calls = ", ".join(f"{call.name} {call.arguments}" for call in response.calls)
        what = calls or response.content or response.reasoning or ""
        yield RecordedStep(response.step, event.seq, what)
