"""What is beside the outline, as rows: the first screen, an entry, a diff, a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import RenderableType
from rich.text import Text

from recordings.events import Compaction, Observation, SummaryEdit, SummaryResponse, ToolCall
from recordings.outcomes import outcome_line, style_of
from recordings.replay.first_screen import PLACES, FirstScreen, is_test
from recordings.reviews.review import StepReview
from sandbox.snapshots import FileDiff, quoted
from sii_cli.player.drawn_rows import FOLDED
from sii_cli.render.bounded import MOST_LINES, bounded, head
from sii_cli.render.changes import change_words
from sii_cli.render.figures import counted
from sii_cli.render.formatted import render_markdown
from sii_cli.render.observations import DIFF_STYLES
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.row_screen import RowScreen
from sii_cli.review.draft import ReviewDraft
from sii_cli.review.item import ReviewItem
from sii_cli.text.sanitise import one_line, sanitise, sanitise_written

_TASK, _ANSWER, _FILES, _PLACES = 10, 30, 12, 8
"""Lines, of the task rows, that are shown before the first screen is opened."""
_MOST_ROWS = 3000
"""Rows of an entry after which no more of its events are drawn."""
_LINE = 400
_SUMMARY_BEFORE = 20
"""Events before a compaction among which its summary is."""
_DIFF_LINES = 6000
MARKS = {"good": "+", "neutral": "=", "bad": "-"}


class ReviewPage:
    """Rows, and where in them the events are."""

    def __init__(self, width: int) -> None:
        self._screen = RowScreen(width)
        self.rows_of: dict[int, int] = {}
        """Event → its first row."""
        self.foldable: list[int] = []
        """Events of which something is folded, or was and is open."""

    @property
    def rows(self) -> list[str]:
        """The rows, as text with colours."""
        return self._screen.rows

    def print(self, *lines: RenderableType) -> None:
        """Append lines."""
        self._screen.print(*lines)

    def lines(self, text: str, most: int, style: str = "", indent: str = "  ") -> None:
        """Append the lines of a text, of a longer one the first: they fill at most `most` rows."""
        lines = head(text.strip("\n")).split("\n")
        begin, whole = len(self.rows), 0
        for line in lines[:most]:
            shown = line if most >= MOST_LINES else line[: most * self._screen.width]
            self.print(Text(indent + sanitise_written(shown), style))
            if len(shown) < len(line) or len(self.rows) - begin > most:
                del self.rows[begin + most :]
                break
            whole += 1
        self.more(len(lines) - whole, opens=most < MOST_LINES)

    def more(self, count: int, *, opens: bool = True) -> None:
        """Say how many lines were left out, if any."""
        if count > 0:
            how = "o opens it" if opens else "`sii show` prints it"
            self.print(Text(f"  … +{counted(count, 'line', 'lines')} ({how})", "dim"))

    def head(self, name: str, text: str = "", style: str = "") -> None:
        """Append a heading after an empty line, with a short text beside it."""
        if self.rows:
            self.print(Text(""))
        line = Text(f"{name:<8}", "bold cyan")
        self.print(line.append(one_line(text, _LINE), style or "default") if text else line)


def first_page(item: ReviewItem, width: int, *, opened: bool) -> ReviewPage:
    """Return the first screen; `opened` shows its texts whole."""
    page, first, task = ReviewPage(width), item.first, item.task
    if item.begins and task.new_from is not None:
        page.head("NEW", f"from event {task.new_from}; you have judged what is before: N shows it")
    page.head("TASK")
    page.lines(first.task, MOST_LINES if opened else _TASK)
    if task.shows_check:
        _print_end(page, first)
    _print_places(page, item)
    if files := item.files:
        page.head("FILES", "d shows the whole diff")
        for file in files[: MOST_LINES if opened else _FILES]:
            known = is_test(file.change.path)
            steps = ", ".join(str(item.outline[one].step) for one in file.entries[:5])
            words = f"  {change_words(file.change)}  step {steps}"
            page.print(Text(words + ("  a test" if known else ""), "yellow" if known else ""))
        page.more(0 if opened else len(files) - _FILES)
    page.head("ANSWER", "" if first.answer else "none")
    _print_answer(page, first.answer, opened=opened)
    if first.rubric:
        page.head("RUBRIC")
        page.lines(first.rubric, MOST_LINES)
    if item.notes:
        page.head("NOTES")
        for line in item.notes:
            page.print(Text("  " + one_line(line, _LINE)))
    return page


def _print_end(page: ReviewPage, first: FirstScreen) -> None:
    summary, check = first.summary, first.check
    outcome = summary.session_outcome
    if outcome is not None:
        line = outcome_line(outcome, summary.score, summary.reason)
        page.head("OUTCOME", line, style_of(outcome))
    if check is not None:
        page.head("CHECK", check.verdict, "green" if check.passed else "yellow")
        for line in check.details:
            page.print(Text("  │ " + one_line(line, _LINE), "dim"))


def _print_places(page: ReviewPage, item: ReviewItem) -> None:
    places = [one for one in item.first.places if one.seq >= (item.task.new_from or 0)]
    if not places:
        return
    page.head("LOOK AT", "p goes there")
    for place in places[:_PLACES]:
        number = item.outline.with_event(place.seq)
        step = "" if number is None else f"step {item.outline[number].step}"
        is_answer = place.seq == item.first.answered
        where = "answer" if is_answer else step if step != "step 0" else ""
        words = (PLACES[place.kind], one_line(place.what, 200), where)
        page.print(Text("  " + " · ".join(filter(None, words)), "yellow"))
    page.more(len(places) - _PLACES)


def _print_answer(page: ReviewPage, answer: str, *, opened: bool) -> None:
    lines = head(answer.strip("\n")).split("\n")
    if answer.strip():
        shown = lines[: MOST_LINES if opened else _ANSWER]
        page.print(render_markdown(sanitise_written("\n".join(shown))))
        page.more(len(lines) - len(shown), opens=not opened)


def entry_page(item: ReviewItem, number: int, draft: ReviewDraft, width: int) -> ReviewPage:
    """Return an entry with what was said of it; outputs are folded unless the draft opened them."""
    page = ReviewPage(width)
    if item.outline[number].kind == "compaction":
        _print_summary(page, item, item.outline[number].about)
    renderer = EventRenderer(page._screen)
    for event in item.events(number):
        first = len(page.rows)
        page.rows_of[event.seq] = 0 if isinstance(event.data, Compaction) else first
        if first > _MOST_ROWS:
            page.print(Text("… the rest of it is too long: `sii show` prints it.", "yellow"))
            break
        renderer.fold = event.seq not in draft.folds
        renderer.feed(bounded(event))
        renderer.fold = True
        is_call = isinstance(event.data, Observation | ToolCall)
        if is_call and (event.seq in draft.folds or _is_folded(page.rows[first:])):
            page.foldable.append(event.seq)
        for line in remark_lines(item.earlier.get(event.seq, []), "before: "):
            page.print(Text(line, "magenta"))
        if said := draft.steps.get(event.seq):
            for line in remark_lines([said]):
                page.print(Text(line, "bold magenta"))
    renderer.finish()
    return page


def _print_summary(page: ReviewPage, item: ReviewItem, about: int) -> None:
    """Print the summary that a compaction is made from, which is a few events before it."""
    for seq in range(about - 1, max(-1, about - _SUMMARY_BEFORE), -1):
        data = item.outline.index.event(seq).data
        if isinstance(data, SummaryResponse | SummaryEdit):
            page.head("SUMMARY", "what the model reads from here instead of what was before")
            page.print(render_markdown(sanitise_written(head(_summary(data)))))
            return


def _summary(data: SummaryResponse | SummaryEdit) -> str:
    return data.text if isinstance(data, SummaryEdit) else data.summary or data.content or ""


def _is_folded(rows: Iterable[str]) -> bool:
    return any(FOLDED in row for row in rows)


def remark_lines(said: Iterable[StepReview], lead: str = "") -> list[str]:
    """Return what was said of an event, in a line each."""
    lines = []
    for step in said:
        words = [step.mark or "", *step.flags, _excluded(step.exclude), step.comment]
        if shown := " · ".join(filter(None, words)):
            lines.append(f"  ◆ {lead}{one_line(shown, 1000)}")
    return lines


def _excluded(exclude: bool | None) -> str:
    if exclude is None:
        return ""
    return "excluded from training" if exclude else "not excluded"


def diff_page(diffs: Sequence[FileDiff], title: str, width: int) -> ReviewPage:
    """Return a diff with its colours; a very long one in part."""
    page, left = ReviewPage(width), _DIFF_LINES
    page.print(Text(title, "bold"))
    for diff in diffs:
        path = quoted(diff.change.path)
        style = "bold yellow" if is_test(diff.change.path) else "bold cyan"
        note = "  (a test)" if is_test(diff.change.path) else ""
        page.print(Text(""), Text(f"{diff.change.kind}: {one_line(path, _LINE)}{note}", style))
        for line in sanitise_written(diff.text).split("\n")[:left]:
            if not line.startswith(("--- ", "+++ ")):
                page.print(Text(line, DIFF_STYLES.get(line[:1], "")))
        left -= diff.text.count("\n")
        if left <= 0:
            page.print(Text("… the rest is too long: `sii diff` prints it.", "yellow"))
            break
    if not diffs:
        page.print(Text("No file of the workspace was changed."))
    return page


def text_page(text: str, width: int) -> ReviewPage:
    """Return a text as it is, such as the keys or a reason why there is nothing else."""
    page = ReviewPage(width)
    for line in sanitise(text).split("\n"):
        page.print(Text(line))
    return page


def markdown_page(text: str, width: int) -> ReviewPage:
    """Return a text in Markdown, such as the guideline."""
    page = ReviewPage(width)
    page.print(render_markdown(sanitise(text)))
    return page
