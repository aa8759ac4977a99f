"""A summary that the human edits before it replaces the history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from recordings.conversation.restore import restore
from recordings.events import Compaction, SummaryEdit, SummaryResponse
from recordings.verify import verify
from tests.fakes.scripted_model import answer
from tests.sii_cli.agent.context.compacting import Bench


async def compacted(folder: Path, edited: str | None) -> tuple[Bench, list[str]]:
    bench = Bench(folder, answer("First."), answer("The model's summary."), answer("Second."))
    shown: list[str] = []

    async def review(summary: str) -> str | None:
        shown.append(summary)
        return edited

    bench.loop.context.context = replace(bench.loop.context.context, review=review)
    bench.loop.context.speaker = "ada"
    await bench.say("one " * 50)
    async for _ in bench.loop.compact():
        pass
    await bench.say("Go on.")
    return bench, shown


async def test_the_model_reads_what_the_human_made_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    bench, [shown] = await compacted(folder, "The human's summary.")
    assert "The model's summary." in shown
    [edit] = bench.events(SummaryEdit)
    assert (edit.text, edit.speaker) == ("The human's summary.", "ada")
    [response] = bench.events(SummaryResponse)
    assert response.summary == shown
    sent = str(bench.prompt())
    assert "The human's summary." in sent
    assert "The model's summary." not in sent
    restored = [message.encoded for message in restore(folder).messages]
    assert any(b"The human's summary." in one for one in restored)
    bench.recorder.close()
    assert verify(folder).whole


async def test_what_is_left_as_it_is_makes_no_edit(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    bench, _ = await compacted(folder, None)
    assert bench.events(SummaryEdit) == []
    assert len(bench.events(Compaction)) == 1
    assert "The model's summary." in str(bench.prompt())
