"""What a practitioner says of their own session is a review line that approves nothing."""

from __future__ import annotations

import pytest

from recordings.index.stats import figures_of, summarise_all
from recordings.reviews.approval import standing
from recordings.reviews.reviews import read_reviews
from recordings.storage.log import recording_hash
from sii_cli.config.settings import Settings
from sii_cli.errors import UsageError
from sii_cli.session.sign_off import SignOff, recorded_steps
from tests.sii_cli.shell import Shell


@pytest.fixture
def sign_off(shell: Shell) -> SignOff:
    return SignOff(Settings(home=shell.home, key_home=shell.home, speaker="ada"), shell.recorded())


def test_a_mark_is_on_the_last_step_or_on_the_one_that_is_named(sign_off: SignOff) -> None:
    first, *_, last = recorded_steps(sign_off.folder)
    sign_off.mark("wrong", "it read the wrong file")
    sign_off.mark("good", step=first.number)
    said = [step for review in read_reviews(sign_off.folder) for step in review.steps]
    assert [(one.seq, one.mark, one.flags, one.comment) for one in said] == [
        (last.seq, None, ("wrong",), "it read the wrong file"),
        (first.seq, "good", (), ""),
    ]


@pytest.mark.parametrize(("word", "step"), [("great", None), ("good", 99)])
def test_what_cannot_be_marked_is_refused(sign_off: SignOff, word: str, step: int | None) -> None:
    with pytest.raises(UsageError):
        sign_off.mark(word, step=step)
    assert read_reviews(sign_off.folder) == []


def test_a_practitioners_verdict_is_kept_and_approves_nothing(sign_off: SignOff) -> None:
    sign_off.end_task(True, "as I wanted it")
    (review,) = read_reviews(sign_off.folder)
    assert (review.role, review.verdict, review.note, review.reviewer) == (
        *("practitioner", "approve", "as I wanted it", "ada"),
    )
    assert review.sha256 == recording_hash(sign_off.folder)
    assert standing([review], review.sha256).state == "unreviewed"


def test_without_a_pseudonym_nothing_is_kept(shell: Shell) -> None:
    sign_off = SignOff(Settings(home=shell.home, key_home=shell.home), shell.recorded())
    with pytest.raises(UsageError, match="pseudonym"):
        sign_off.leave_note("words")
    assert read_reviews(sign_off.folder) == []


def test_secrets_are_masked_in_what_is_said(
    sign_off: SignOff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_TOKEN", "hunter2-hunter2-hunter2")
    sign_off.leave_note("use hunter2-hunter2-hunter2")
    assert b"hunter2" not in (sign_off.folder / "reviews.jsonl").read_bytes()


def test_the_statistics_count_what_the_practitioner_said(sign_off: SignOff, shell: Shell) -> None:
    from recordings.index.find import find
    from recordings.index.index import RecordingIndex

    sign_off.end_task(False)
    sign_off.end_task(True)
    shell.sii("list")
    with RecordingIndex(shell.store) as index:
        index.refresh()
        (found,) = find(index)
    figures = figures_of(found, read_reviews(sign_off.folder))
    assert (figures.signed_off, figures.rounds_until_done) == ("approve", found.summary.rounds)
    assert summarise_all([found])["signed_off"] == {}, "who gives no reviews counts none"
    assert "sign-off   done 1, not done 0" in shell.sii("stats").stdout
