"""Reviewing one recording: where the reviewer is, what the keys do, and the draft that grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import Literal

from recordings.replay.first_screen import Place
from recordings.reviews.approval import Verdict
from recordings.reviews.review import FLAGS, LONGEST_TEXT, Coverage, RubricAnswer
from recordings.reviews.rubric import AnswerUnusable
from sii_cli.review.draft import ReviewDraft, TypedText
from sii_cli.review.item import ReviewItem
from sii_cli.review.rubric import ReviewQuestion
from sii_cli.review.words import FIRST, MARKED, NAMES, VERDICTS, Purpose

View = Literal["entry", "diff", "step diff", "guideline", "keys"]
_MOST_UNDONE = 500


class Reviewing:
    """What the keys do. `save` keeps the draft, after each of them."""

    def __init__(
        self, item: ReviewItem, draft: ReviewDraft, save: Callable[[ReviewDraft], None]
    ) -> None:
        self.item = item
        self.draft = draft
        self.shows_whole = False
        """Whether what the reviewer has judged before is shown too."""
        self.view: View = "entry"
        self.at = min(draft.place, len(item.outline) - 1)
        """The entry that is shown, or `FIRST`."""
        self.seq: int | None = None
        """The event that was jumped to."""
        self.said = item.task.before
        """A sentence about what the last key did."""
        self.focus = self._next_open(0)
        """The question that digits answer."""
        self.flagging = False
        """Whether the next digit is a flag."""
        self.first_is_open = False
        self.is_sent = False
        self.waits = False
        """Whether it is sent as soon as the recording was checked."""
        self._confirmed: set[str] = set()
        """What `y` asked for since another key."""
        self._before: list[ReviewDraft] = []
        self._save = save
        self._last_key = time.monotonic()
        self.show(self.at)

    # Around the recording

    def show(self, number: int, seq: int | None = None) -> None:
        """Show an entry, or one of its events."""
        self.at = max(FIRST, min(number, len(self.item.outline) - 1))
        if self.at < self.begins:
            self.at, seq = FIRST, None
        self.view, self.seq = "entry", seq
        opened = self.draft.opened | ({self.at} if self.at != FIRST else frozenset())
        self._keep(place=self.at, opened=opened)

    def move(self, by: int) -> None:
        """Show the next entry, or the one before."""
        begins_new = self.at == FIRST and by > 0
        self.show(self.begins if begins_new else self.at + by)

    @property
    def begins(self) -> int:
        """The first entry that is shown: what was judged before is left out."""
        return 0 if self.shows_whole else self.item.begins

    def show_whole(self) -> None:
        """Show what was judged before too, or only what is new."""
        if not self.item.begins:
            self.said = "all of it is new to you"
            return
        self.shows_whole = not self.shows_whole
        self.said = "the whole is shown" if self.shows_whole else "only what is new is shown"
        self.show(self.at)

    def round(self, *, back: bool = False) -> None:
        """Show the first entry of the next round, or of the one before."""
        found = self.item.outline.find_round(self.at, back=back)
        if found is not None and found >= self.begins:
            self.show(found)
        else:
            self.said = "this is the first round" if back else "this is the last round"

    def jump(self, mark: int, *, back: bool = False) -> None:
        """Go to the next event with a mark, or back."""
        index, outline = self.item.outline.index, self.item.outline
        found = index.find(mark, self._from(back=back), back=back)
        while found is not None and not self.item.shows(found):
            found = index.find(mark, found + (-1 if back else 1), back=back)
        if found is None or (outline.with_event(found) or 0) < self.begins:
            self.said = f"there is no {NAMES[mark]} {'before' if back else 'after'} this"
        else:
            self.show(outline.with_event(found) or 0, found)

    def place(self, *, back: bool = False) -> None:
        """Go to the next place that the first screen names, or back."""
        here, places = self._from(back=back), self.places
        after = [one for one in places if (one.seq <= here if back else one.seq >= here)]
        if not after:
            self.said = f"there is no place to look at {'before' if back else 'after'} this"
            return
        seq = after[-1 if back else 0].seq
        self.show(self.item.outline.with_event(seq) or 0, seq)

    @property
    def places(self) -> list[Place]:
        """The places to look at in what is shown."""
        events = self.item.outline[self.begins].events
        return [one for one in self.item.first.places if one.seq >= events.start]

    def look_at(self, view: View) -> None:
        """Show something else instead of the entry; the same again goes back."""
        self.view = "entry" if self.view == view else view

    def toggle_folds(self, seqs: Collection[int]) -> None:
        """Open the folded outputs of these events; when all are open, fold them again."""
        if self.at == FIRST:
            self.first_is_open = not self.first_is_open
        elif not seqs:
            self.said = "nothing here is folded"
        else:
            opened, these = self.draft.folds, frozenset(seqs)
            self._keep(folds=opened - these if opened >= these else opened | these)

    def _from(self, *, back: bool) -> int:
        """Return the event from which a jump looks."""
        if self.at == FIRST:
            return -1 if back else self.item.outline[self.begins].events.start
        if self.seq is not None:
            return self.seq + (-1 if back else 1)
        return self.item.outline[self.at].events.start - int(back)

    # What is said

    @property
    def about(self) -> int | None:
        """The event that words are about, or `None` on the first screen."""
        return None if self.at == FIRST else self.item.outline[self.at].about

    def flag(self) -> None:
        """Make the next digit a flag."""
        if self._on_step():
            self.flagging = True

    def digit(self, digit: int) -> None:
        """Set a flag after `f`, else answer the question in focus."""
        about, self.flagging, is_flag = self.about, False, self.flagging
        words = self.flag_words
        if not is_flag or about is None:
            self._answer_digit(digit)
        elif digit not in words:
            self.said = "there is no such flag"
        elif digit in MARKED:
            mark = MARKED[digit]
            self._change(self.draft.with_mark(about, mark), f"marked {mark}")
        else:
            flag = words[digit]
            self._change(self.draft.with_flag(about, flag), f"flagged {flag}")

    @property
    def flag_words(self) -> dict[int, str]:
        """What each digit says of a step after `f`."""
        flags = self.item.task.flags or FLAGS
        return {**dict(enumerate(flags[: min(MARKED) - 1], 1)), **MARKED}

    def exclude(self) -> None:
        """Exclude the step from training, or take that back."""
        if (about := self.about) is None or not self._on_step():
            return
        said = self.draft.steps.get(about)
        excluded = said.exclude if said is not None else None
        if excluded is None:
            excluded = self.item.excluded_before(about)
        words = "not excluded" if excluded else "excluded from training"
        self._change(self.draft.with_step(about, exclude=not excluded), words)

    def arm(self, verdict: Verdict) -> None:
        """Arm a verdict; the same again disarms it. A rejection asks for its reason."""
        if self.draft.verdict == verdict:
            self._change(self.draft.model_copy(update={"verdict": None}), "no verdict is armed")
            return
        words = f"{VERDICTS[verdict]} is armed: y sends it"
        self._change(self.draft.model_copy(update={"verdict": verdict}), words)
        if verdict != "approve" and not self.draft.note:
            self.type("why")

    def undo(self) -> None:
        """Take back what was said last."""
        if not self._before:
            self.said = "nothing was said yet that can be taken back"
            return
        before = self._before.pop()
        kept = {name: getattr(before, name) for name in ("verdict", "note", "rubric", "steps")}
        self._keep(**kept)
        self.said = "taken back"

    def focus_on(self, by: int) -> None:
        """Let digits answer the next question, or the one before."""
        if questions := self.item.task.questions:
            self.focus = (self.focus + by) % len(questions)
        else:
            self.said = "there are no questions (review.toml or --rubric FILE asks some)"

    def _answer_digit(self, digit: int) -> None:
        questions = self.item.task.questions
        if not questions:
            self.said = "there are no questions that digits answer; f and a digit sets a flag"
            return
        question = questions[self.focus]
        self._answer(question, lambda: question.answer_of_digit(digit))

    def _answer(self, question: ReviewQuestion, answer: Callable[[], RubricAnswer]) -> None:
        try:
            answered = self.draft.with_answer(question.name, answer())
            self._change(answered, f"answered: {question.title}")
            self.focus = self._next_open(self.focus)
        except AnswerUnusable as wanted:
            self.said = f"{question.title} wants {wanted}"

    def _next_open(self, start: int) -> int:
        questions = self.item.task.questions
        order = [*range(start, len(questions)), *range(start)]
        open_ones = (one for one in order if questions[one].name not in self.draft.rubric)
        return next(open_ones, start)

    # Typing

    def type(self, purpose: Purpose) -> None:
        """Begin to type a text."""
        if purpose in ("comment", "send back") and not self._on_step():
            return
        if purpose == "answer" and not self.item.task.questions:
            self.said = "there are no questions (review.toml or --rubric FILE asks some)"
            return
        self._keep(typed=TypedText(purpose=purpose, text=self._typed_before(purpose)))

    def typing(self, text: str) -> None:
        """Keep what is being typed."""
        if self.draft.typed is not None:
            self._keep(typed=TypedText(purpose=self.draft.typed.purpose, text=text[:LONGEST_TEXT]))

    def typed(self, text: str) -> None:
        """Take a text that was typed; an empty one says nothing."""
        purpose = self.draft.typed.purpose if self.draft.typed else ""
        self._keep(typed=None)
        about, text = self.about, text.strip()
        match purpose:
            case "note" | "why":
                self._change(self.draft.model_copy(update={"note": text}), "noted")
            case _ if not text:
                self.said = "nothing was said"
            case "comment" if about is not None:
                self._comment(about, text)
            case "send back" if about is not None:
                self._send_back(about, text)
            case "answer":
                question = self.item.task.questions[self.focus]
                self._answer(question, lambda: question.answer(text, about))

    def stop_typing(self) -> None:
        """Say nothing of what is being typed."""
        self._keep(typed=None)

    def _typed_before(self, purpose: Purpose) -> str:
        if self.draft.typed is not None and self.draft.typed.purpose == purpose:
            return self.draft.typed.text
        return self.draft.note if purpose in ("note", "why") else ""

    def _comment(self, about: int, text: str) -> None:
        commented = self.draft.with_comment(about, text)
        if commented is None:
            self.said = f"the comments on a step have at most {LONGEST_TEXT:,} characters"
        else:
            self._change(commented, "commented")

    def _send_back(self, about: int, text: str) -> None:
        """Say that the session went wrong here, and arm the verdict that sends it back."""
        commented = self.draft.with_comment(about, text)
        flags = self.draft.steps[about].flags if about in self.draft.steps else ()
        if commented is None:
            self.said = f"the comments on a step have at most {LONGEST_TEXT:,} characters"
            return
        flagged = commented if "wrong" in flags else commented.with_flag(about, "wrong")
        update = {"verdict": "needs_work", "note": self.draft.note or text[:LONGEST_TEXT]}
        words = "sent back from here, once y sends it"
        self._change(flagged.model_copy(update=update), words)

    # The end

    def send(self, *, is_checked: bool) -> bool:
        """Send what was said, if nothing is missing; return whether it is to be sent."""
        draft, missing = self.draft, self._unanswered()
        if not draft.says_something:
            self.said = "nothing was said yet: a approve, r reject, w needs work"
        elif draft.verdict in ("reject", "needs_work") and not draft.note:
            self.type("why")
        elif draft.verdict is None and self._asks("no verdict"):
            self.said = "no verdict is armed (a r w): y again sends the remarks without one"
        elif draft.verdict is not None and any(one.is_required for one in missing):
            required = next(one for one in missing if one.is_required)
            self.focus = self.item.task.questions.index(required)
            self.said = f"the protocol wants an answer: {required.title}"
        elif draft.verdict is not None and self.coverage.is_below_floor and self._asks("coverage"):
            self.said = f"y again sends it so: {self.coverage.words}"
        elif draft.verdict is not None and missing and self._asks("questions"):
            self.focus = self._next_open(0)
            self.said = f"{len(missing)} not answered: y again sends it so"
        elif not is_checked:
            self.waits, self.said = True, "it is sent as soon as the recording was checked"
        else:
            self.is_sent = True
        return self.is_sent

    @property
    def coverage(self) -> Coverage:
        """How much was opened of what is new."""
        new = range(self.item.begins, len(self.item.outline))
        return self.draft.coverage(new, self.item.task.coverage_floor)

    def _unanswered(self) -> list[ReviewQuestion]:
        return [one for one in self.item.task.questions if one.name not in self.draft.rubric]

    def _asks(self, what: str) -> bool:
        """Return whether something is asked for the first time: the next `y` confirms it."""
        asks = what not in self._confirmed
        self._confirmed.add(what)
        return asks

    # What each key does besides

    def key_pressed(self, *, is_send: bool = False) -> None:
        """Count the time since the last key, and forget what was said of it."""
        now = time.monotonic()
        self.draft = self.draft.after(now - self._last_key)
        self._last_key, self.said, self.waits = now, "", False
        if not is_send:
            self._confirmed = set()

    def _on_step(self) -> bool:
        if self.at == FIRST:
            self.said = "this is about a step: j goes to the first"
        return self.at != FIRST

    def _change(self, draft: ReviewDraft, said: str) -> None:
        """Change what is said; `undo` takes it back."""
        self._before = [*self._before[-_MOST_UNDONE:], self.draft]
        self.draft, self.said = draft, said
        self._save(self.draft)

    def _keep(self, **update: object) -> None:
        self.draft = self.draft.model_copy(update=update)
        self._save(self.draft)
