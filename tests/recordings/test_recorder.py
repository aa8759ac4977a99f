"""The recorder: streamed text is written in pieces, in order, with the time it came."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings import recorder as recorder_module
from recordings.events import (
    Event,
    LiveDelta,
    LiveOutput,
    ModelDelta,
    RoundEnd,
    SessionResume,
    ToolOutput,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.replay.timeline import timeline
from recordings.storage.log import read_events
from tests.recordings.data_of import data_of

RESUME = SessionResume(sii_version="0", model="m", base_url="http://m")


class Clock:
    """Stands in for the module `time`: goes on only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def time(self) -> float:
        return 1_000_000.0 + self.now

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(recorder_module, "time", clock)
    return clock


@pytest.fixture
def recorder(tmp_path: Path, clock: Clock) -> Recorder:
    return Recorder.create(tmp_path, "s")


def recorded(recorder: Recorder) -> list[Event]:
    recorder.close()
    return list(read_events(recorder.folder))


def test_neighbouring_pieces_become_one_event_stamped_when_the_first_came(
    recorder: Recorder, clock: Clock
) -> None:
    for text in ("Let ", "me ", "see."):
        clock.now += 0.02
        recorder.live(LiveDelta(1, "reasoning", text))
    clock.now += 5
    (event,) = recorded(recorder)
    assert event.data == ModelDelta(step=1, kind="reasoning", text="Let me see.")
    assert event.origin == "model"
    assert event.mono == pytest.approx(100.02)
    assert event.wall == pytest.approx(1_000_100.02)


def test_an_event_keeps_to_a_tenth_of_a_second_when_its_text_came(
    recorder: Recorder, clock: Clock
) -> None:
    for text in ("ab", "c", "d", "efg", "h"):
        recorder.live(LiveOutput("c", text))
        clock.now += 0.06
    (event,) = recorded(recorder)
    assert event.data == ToolOutput(
        call_id="c", text="abcdefgh", pieces=[(0, 3), (120, 4), (240, 1)]
    )


def test_a_second_closes_an_event(recorder: Recorder, clock: Clock) -> None:
    for _ in range(8):
        recorder.live(LiveOutput("c", "x "))
        clock.now += 0.3
    assert [one.text for one in data_of(recorded(recorder), ToolOutput)] == ["x x x x ", "x x x x "]


def test_an_event_ends_between_words_or_a_second_later(recorder: Recorder, clock: Clock) -> None:
    for _ in range(10):
        recorder.live(LiveOutput("c", "é"))
        clock.now += 0.3
    assert [one.text for one in data_of(recorded(recorder), ToolOutput)] == ["ééééééé", "ééé"]


def test_what_may_be_one_token_is_kept_together_longer(recorder: Recorder, clock: Clock) -> None:
    for _ in range(80):
        recorder.live(LiveOutput("c", "x"))
        clock.now += 0.3
    assert [len(one.text) for one in data_of(recorded(recorder), ToolOutput)] == [67, 13]


def test_much_text_closes_an_event(recorder: Recorder) -> None:
    for _ in range(5):
        recorder.live(LiveOutput("c", "x" * 8191 + "\n"))
    assert [len(one.text) for one in data_of(recorded(recorder), ToolOutput)] == [
        16384,
        16384,
        8192,
    ]


@pytest.mark.parametrize(
    "other",
    [
        LiveDelta(1, "content", "b"),
        LiveDelta(2, "reasoning", "b"),
        LiveDelta(1, "call_arguments", "b", index=1),
        LiveOutput("c", "b"),
    ],
)
def test_another_kind_step_call_or_output_closes_a_piece(
    recorder: Recorder, other: LiveDelta | LiveOutput
) -> None:
    recorder.live(LiveDelta(1, "reasoning", "a"))
    recorder.live(other)
    assert len(recorded(recorder)) == 2


def test_pending_text_comes_before_the_event_that_follows_it(recorder: Recorder) -> None:
    recorder.live(LiveDelta(1, "content", "Done."))
    recorder.record(RoundEnd(round=1, status="answered", steps=1), "harness")
    assert [event.type for event in recorded(recorder)] == ["model_delta", "round_end"]


def test_a_replay_shows_what_a_screen_was_shown_when_it_was(
    recorder: Recorder, clock: Clock
) -> None:
    first = recorder.record(UserMessage(round=1, text="hi"), "human")
    clock.now += 2
    recorder.live(LiveDelta(1, "content", "Hel"))
    clock.now += 0.05
    recorder.live(LiveDelta(1, "content", "lo"))
    clock.now += 0.5
    recorder.live(LiveDelta(1, "content", ", Ada"))
    clock.now += 1
    recorder.live(LiveOutput("c", "out"))
    last = recorder.record(RoundEnd(round=1, status="answered", steps=1), "harness")
    recorder.close()
    assert list(timeline(read_events(recorder.folder))) == [
        (0.0, first),
        (pytest.approx(2.0), LiveDelta(1, "content", "Hello")),
        (pytest.approx(0.55), LiveDelta(1, "content", ", Ada")),
        (pytest.approx(1.0), LiveOutput("c", "out")),
        (0.0, last),
    ]


def test_the_night_between_two_runs_of_a_session_is_not_replayed(
    recorder: Recorder, clock: Clock
) -> None:
    recorder.record(UserMessage(round=1, text="hi"), "human")
    recorder.close()
    clock.now += 30_000
    again = Recorder.resume(recorder.folder)
    again.record(RESUME, "harness")
    clock.now += 1
    again.record(UserMessage(round=2, text="still there?"), "human")
    again.close()
    assert [wait for wait, _ in timeline(read_events(recorder.folder))] == [0.0, 0.0, 1.0]


def test_a_clock_that_began_again_costs_no_wait(recorder: Recorder, clock: Clock) -> None:
    recorder.record(UserMessage(round=1, text="hi"), "human")
    recorder.close()
    clock.now = 3.0
    again = Recorder.resume(recorder.folder)
    again.record(UserMessage(round=2, text="hi"), "human")
    again.close()
    assert [wait for wait, _ in timeline(read_events(recorder.folder))] == [0.0, 0.0]


pieces = st.one_of(
    st.builds(
        LiveDelta,
        st.integers(1, 2),
        st.sampled_from(["reasoning", "content"]),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
    ),
    st.builds(LiveOutput, st.sampled_from("ab"), st.just("x")),
)


def joined(items: Iterable[object]) -> list[tuple[object, str]]:
    """Text by stream, neighbours of one stream put together."""
    streams: list[tuple[object, str]] = []
    for item in items:
        assert isinstance(item, LiveDelta | LiveOutput)
        key = item.call_id if isinstance(item, LiveOutput) else (item.step, item.kind)
        if streams and streams[-1][0] == key:
            streams[-1] = (key, streams[-1][1] + item.text)
        else:
            streams.append((key, item.text))
    return streams


@settings(max_examples=50, deadline=None)
@given(items=st.lists(pieces, max_size=20), steps=st.lists(st.floats(0, 0.5), min_size=20))
def test_no_streamed_text_is_lost_or_moved(
    tmp_path_factory: pytest.TempPathFactory,
    items: list[LiveDelta | LiveOutput],
    steps: list[float],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(recorder_module, "time", clock)
        recorder = Recorder.create(tmp_path_factory.mktemp("live"), "s")
        for item, step in zip(items, steps, strict=False):
            clock.now += step
            recorder.live(item)
        recorder.close()
    shown = [item for _, item in timeline(read_events(recorder.folder))]
    assert joined(shown) == joined(items)
