"""The page of the review line: its fields, its limits, and one line as it is written."""

from __future__ import annotations

import inspect
from pathlib import Path

import orjson

from recordings.reviews import protocol, review
from recordings.reviews.lines import LONGEST_LINE, MOST_LINES, review_line
from recordings.reviews.review import Coverage, Review, RubricAnswer, StepReview
from recordings.trust.home_key import HomeKey
from scripts.reference.events import field_notes, fields_of
from scripts.reference.markdown import fenced, page, table

_EXAMPLE = Review(
    reviewer="ada",
    time=1795467312.5,
    seconds=412.0,
    id="20261123-204950-a3f9c2",
    sha256="5e" * 32,
    verdict="needs_work",
    confidence=0.8,
    note="The fix is right; the summary claims a test that was not run.",
    rubric={
        "Goal reached": RubricAnswer(kind="scale", value=4),
        "Is the answer supported?": RubricAnswer(
            kind="text", value="Not the last claim.", cites=(31,)
        ),
    },
    steps=(StepReview(seq=31, comment="This test was not run.", mark="bad", flags=("wrong",)),),
    coverage=Coverage(steps=34, of_steps=34, folds=0),
    add_tags=("finance",),
)


def pages() -> dict[str, str]:
    """Return the page of reviews."""
    notes = field_notes([Path(review.__file__)])
    line = orjson.loads(review_line(_EXAMPLE, HomeKey(b"an example of a key, not secret!")))
    limits = [
        ("a line", f"{LONGEST_LINE:,} bytes"),
        ("lines of a recording", f"{MOST_LINES:,}"),
        ("a note, a comment, an answer", f"{review.LONGEST_TEXT:,} characters"),
        ("a name, a question, a tag, a flag", f"{protocol.LONGEST_NAME:,} characters"),
        ("events that a review marks", f"{review.MOST_STEPS:,}"),
        ("answers", f"{review.MOST_ANSWERS:,}"),
        ("events that an answer cites", f"{review.MOST_CITES:,}"),
        ("tags that a review adds or removes, flags of an event", f"{review.MOST_WORDS:,}"),
    ]
    return {
        "reviews.md": page(
            "Reviews",
            "A review is a line of `reviews.jsonl` beside the log of a recording. The form is the "
            "same for verdicts on candidates for queries (`kind`). [Recordings](recording.md"
            "#reviews) says how a line is proved, and what earlier versions lack.",
            "## A line",
            "`v` is 4. Then come the fields below; `home`, `signature` and `proof`, each where "
            "there is one; and `sum`.",
            fields_of(Review, notes),
            fenced(orjson.dumps(line, option=orjson.OPT_INDENT_2).decode(), "json"),
            "## Parts",
            *(
                f"### `{cls.__name__}`\n\n{inspect.getdoc(cls)}\n\n{fields_of(cls, notes)}"
                for cls in (RubricAnswer, StepReview, Coverage)
            ),
            "## Limits",
            "A line beyond a limit is damage, also in this home; lines of earlier versions have "
            "only the limit of the file.",
            table(("", "at most"), limits),
        )
    }
