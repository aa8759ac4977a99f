"""What is chosen, what is left out and said, what is refused: the same for every format."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.events import UserMessage
from recordings.export.files import ExportFailed
from recordings.export.split import validation_ids
from recordings.recorder import Recorder
from recordings.reviews.review import StepReview
from recordings.reviews.reviews import add_review
from recordings.storage.log import LOG
from recordings.storage.pack import pack
from tests.recordings.export.exporting import exported, lines, rows, source
from tests.recordings.samples.told_session import ToldSession, two_rounds


def session(folder: Path, asked: str, answer: str, **start: object) -> Path:
    told = ToldSession.create(folder, **start)
    told.user(asked)
    told.step(answer)
    told.end()
    return folder


def trained(out: Path, split: str = "train") -> list[list[int]]:
    """The trained ids of every row."""
    return [
        [one for one, on in zip(row["input_ids"], row["loss_mask"], strict=True) if on]
        for row in rows(out, split)
    ]


def test_a_family_of_forks_trains_every_step_once(tmp_path: Path) -> None:
    parent = two_rounds(tmp_path / "1-parent")
    forks = []
    for name in ("2-fork", "3-fork"):
        fork = ToldSession.fork(tmp_path / "1-parent", 5, tmp_path / name)
        fork.harness("Another way.", "undo")
        fork.step(f"By {name}.")
        fork.end()
        forks.append((source(tmp_path / name, parent="1-parent"), fork.generated))
    (one, of_one), (two, of_two) = forks
    exported(tmp_path / "all", "tokens", two, one, tmp_path / "1-parent")
    first_round = [one for ids in parent.generated[:3] for one in ids]
    assert trained(tmp_path / "all") == [first_round, parent.generated[3], of_one[0], of_two[0]]
    # Without the parent, the first of the forks trains what they share.
    exported(tmp_path / "forks", "tokens", one, two)
    assert trained(tmp_path / "forks") == [parent.generated[0] + of_one[0], of_two[0]]


def test_what_reviewers_excluded_is_not_trained(tmp_path: Path) -> None:
    told = two_rounds(tmp_path / "s")
    add_review(tmp_path / "s", "ada", steps=[StepReview(seq=3, exclude=True)])
    exported(tmp_path / "out", "tokens", tmp_path / "s")
    assert trained(tmp_path / "out")[0] == told.generated[1] + told.generated[2]
    (out,) = lines(tmp_path / "out" / "left_out.jsonl")
    assert out == {
        "recording": "s",
        "reason": "excluded",
        "detail": "by a reviewer",
        "sample": 1,
        "step": 1,
        "seq": 3,
    }


def test_samples_over_the_limit_are_named(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    report = exported(tmp_path / "out", "tokens", tmp_path / "s", max_tokens=120)
    assert report.over_length == [("s/2", 126)]
    assert [row["id"] for row in rows(tmp_path / "out")] == ["s/1"]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["over_length"] == [{"sample": "s/2", "tokens": 126}]


def test_duplicates_are_dropped_and_named(tmp_path: Path) -> None:
    sources = [session(tmp_path / name, "Go.", "Done.") for name in ("a", "b")]
    report = exported(tmp_path / "out", "tokens", *sources)
    assert (report.samples, report.left_out) == (1, {"duplicate": 1})
    assert lines(tmp_path / "out" / "left_out.jsonl")[0]["detail"] == "the same as a/1"
    assert exported(tmp_path / "both", "tokens", *sources, dedupe="off").samples == 2


@pytest.mark.parametrize("format_", ["tokens", "messages"])
def test_near_duplicates_are_named_before_they_are_dropped(tmp_path: Path, format_: str) -> None:
    words = [f"word{number}" for number in range(400)]
    texts = [" ".join(words), " ".join([*words[:-4], "and", "so", "on"]), " ".join(words[::-1])]
    sources = [session(tmp_path / str(n), f"Q{n}.", text) for n, text in enumerate(texts)]
    report = exported(tmp_path / "named", format_, *sources, dedupe="report")
    assert report.samples == 3
    ((sample, like, likeness),) = report.near
    assert (sample, like) == ("1/1", "0/1")
    assert 0.8 <= likeness < 1
    assert exported(tmp_path / "dropped", format_, *sources, dedupe="near").samples == 2


def test_a_split_does_not_leak(tmp_path: Path) -> None:
    sources = []
    for number in range(12):
        asked = f"Task {number // 3}."  # three sessions of each task
        folder = session(tmp_path / f"{number:02}", asked, f"Answer {number}.")
        sources.append(source(folder, first_message=asked))
    exported(tmp_path / "out", "tokens", *sources, validation=0.25)
    tasks = {
        split: {int(row["id"][:2]) // 3 for row in rows(tmp_path / "out", split)}
        for split in ("train", "validation")
    }
    assert len(tasks["validation"]) == 1
    assert tasks["train"] | tasks["validation"] == {0, 1, 2, 3}
    assert not tasks["train"] & tasks["validation"]


class Tied:
    def __init__(self, number: int, ties: list[int]) -> None:
        self.id = str(number)
        self.ties = (f"recording {number}", *(f"query {tie}" for tie in ties))


@given(
    ties=st.lists(st.lists(st.integers(0, 8), max_size=2), max_size=30),
    share=st.floats(0, 0.9),
)
def test_what_shares_a_tie_is_on_one_side(ties: list[list[int]], share: float) -> None:
    sources = [Tied(number, some) for number, some in enumerate(ties)]
    chosen = validation_ids(sources, share)
    assert chosen == validation_ids(sources[::-1], share)
    sides: dict[str, set[bool]] = {}
    for one in sources:
        for tie in one.ties:
            sides.setdefault(tie, set()).add(one.id in chosen)
    assert all(len(side) == 1 for side in sides.values())


def test_an_export_with_a_secret_is_refused(tmp_path: Path) -> None:
    good = session(tmp_path / "good", "Go.", "Done.")
    bad = session(tmp_path / "bad", "Deploy with correct-horse-battery.", "Done.")
    with pytest.raises(ExportFailed, match=r"there are secrets in bad \(DEPLOY_KEY\)"):
        exported(tmp_path / "out", "tokens", good, bad)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "good"]


def test_a_refused_export_leaves_no_file_open(tmp_path: Path) -> None:
    bad = session(tmp_path / "bad", "Deploy with correct-horse-battery.", "Done.")
    with pytest.raises(ExportFailed, match="there are secrets") as refused:
        exported(tmp_path / "out", "tokens", bad)
    held = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    assert refused.tb is not None, "what the traceback still holds would be open here"
    assert not [path for path in held if path.startswith(str(tmp_path))]


def test_a_changed_recording_is_left_out(tmp_path: Path) -> None:
    good = session(tmp_path / "good", "Go.", "Done.")
    bad = source(session(tmp_path / "bad", "Go.", "Mended."))
    log = tmp_path / "bad" / LOG
    log.write_bytes(log.read_bytes().replace(b"Mended.", b"Broken."))
    report = exported(tmp_path / "out", "tokens", good, bad)
    assert (report.samples, report.left_out) == (1, {"damaged": 1})


def test_a_recording_that_went_on_since_it_was_chosen_is_left_out(tmp_path: Path) -> None:
    good = session(tmp_path / "good", "Go.", "Done.")
    older = source(session(tmp_path / "s", "Go.", "Ended."))
    recorder = Recorder.resume(tmp_path / "s")
    recorder.record(UserMessage(round=2, text="And?"), "human")
    assert exported(tmp_path / "open", "tokens", good, older).left_out == {"being_written": 1}
    recorder.close()
    assert exported(tmp_path / "out", "tokens", good, older).left_out == {"damaged": 1}


def test_a_packed_recording_is_exported_the_same(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    exported(tmp_path / "plain", "tokens", tmp_path / "s")
    pack(tmp_path / "s")
    exported(tmp_path / "packed", "tokens", tmp_path / "s")
    for path in (tmp_path / "plain").iterdir():
        assert path.read_bytes() == (tmp_path / "packed" / path.name).read_bytes()


def test_nothing_is_written_when_nothing_would_be_in_it(tmp_path: Path) -> None:
    folder = session(tmp_path / "s", "Go.", "Done.")
    add_review(folder, "ada", steps=[StepReview(seq=3, exclude=True)])
    with pytest.raises(ExportFailed, match="left out: excluded 1, no_trained_token 1"):
        exported(tmp_path / "out", "tokens", folder)
    with pytest.raises(ExportFailed, match="No recording is chosen"):
        exported(tmp_path / "out", "tokens")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    folder = session(tmp_path / "s", "Go.", "Done.")
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportFailed, match="exists already"):
        exported(tmp_path / "out", "tokens", folder)


def test_the_card_has_the_licences_and_the_figures(tmp_path: Path) -> None:
    one = session(tmp_path / "a", "Go.", "One.", license="MIT")
    two = session(tmp_path / "b", "Go on.", "Two.", model="evil | `name`\n# x")
    exported(tmp_path / "out", "tokens", one, two, license="apache-2.0")
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: other\n")
    assert "| licences | MIT 1, apache-2.0 1 |" in card
    assert r"| models | GLM 1, evil \| \`name\`?# x 1 |" in card
    assert "| LIMI (a trajectory) | 13,000 | 42,400 | 152,000 |" in card
    exported(tmp_path / "mit", "tokens", one)
    assert (tmp_path / "mit" / "README.md").read_text().startswith("---\nlicense: mit\n")
