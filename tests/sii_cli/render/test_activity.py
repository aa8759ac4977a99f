"""The spinner tells the truth."""

from __future__ import annotations

from recordings.events import Event, ModelError
from sii_cli.render.activity import Activity
from tests.sii_cli.session_items import (
    call,
    delta,
    end,
    event,
    observation,
    request,
    response,
    start,
    user,
)


class FakeClock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(activity: Activity) -> str:
    return activity.line()[2:]  # without the spinner


def failed(wait: float) -> Event:
    return event(ModelError(step=1, attempt=1, kind="connect", message="No.", retry_in=wait))


def test_each_phase_is_named_with_its_time() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    assert activity.line() == ""
    activity.feed(user("go"))
    activity.feed(request())
    clock.now += 2
    assert told(activity) == "waiting for the model 2 s"
    activity.feed(delta("reasoning", "hm"))
    clock.now += 2
    assert told(activity) == "thinking 2 s"
    activity.feed(delta("content", "well"))
    assert told(activity) == "writing 0 s"
    activity.feed(delta("call_name", "bash"))
    assert told(activity) == "writing a call to bash 0 s"
    activity.feed(response(calls=1))
    activity.feed(call("bash", {"command": "make"}))
    clock.now += 75.9
    assert told(activity).startswith("running bash 1 min 15 s · 1 min 19 s in all")
    activity.feed(observation("bash", "done"))
    activity.feed(end())
    assert activity.line() == ""


def test_calls_that_run_at_the_same_time_are_all_named() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.feed(user("go"))
    activity.feed(call("read_file", {"path": "a"}, "1"))
    clock.now += 1
    activity.feed(call("web_fetch", {"url": "b"}, "2"))
    clock.now += 1
    assert told(activity) == "running read_file 2 s, web_fetch 1 s"
    activity.feed(observation("read_file", "", "1"))
    assert told(activity) == "running web_fetch 1 s"


def test_a_retry_counts_down_and_ends_with_the_next_request() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.feed(user("go"))
    activity.feed(request())
    activity.feed(failed(8.0))
    clock.now += 3
    assert told(activity) == "waiting for the server, retry in 5 s"
    activity.feed(request())
    assert told(activity) == "waiting for the model 0 s"


def test_the_context_is_what_the_last_call_took() -> None:
    activity = Activity()
    assert activity.tokens() == ""
    activity.feed(start())
    activity.feed(response("a"))
    activity.feed(response("b"))
    assert activity.tokens() == "100 tokens (10 % of the context)"
    assert activity.tokens(20) == "100 tokens (10 %)"
    assert activity.usage.prompt_tokens == 180


def test_a_long_round_counts_its_time_and_tokens_and_their_pace() -> None:
    clock = FakeClock()
    activity = Activity(clock)
    activity.feed(user("go"))
    activity.feed(request())
    clock.now += 2
    for _ in range(40):
        activity.feed(delta("content", "word "))
        clock.now += 0.125
    assert told(activity) == "writing 5 s · 7 s in all · 40 tokens, 8 a second"
    activity.feed(response("word " * 30))  # the server says 10
    clock.now += 60
    assert told(activity) == "working 1 min 0 s · 1 min 7 s in all · 10 tokens, 2 a second"
    activity.feed(end())
    activity.feed(user("again"))
    clock.now += 6
    assert told(activity) == "working 6 s · 6 s in all"


def test_a_retry_says_which_one_it_is() -> None:
    activity = Activity(FakeClock())
    activity.feed(user("go"))
    data = ModelError(
        step=1, attempt=3, kind="rate_limited", message="No.", status=429, retry_in=4.0
    )
    activity.feed(event(data))
    assert told(activity) == "waiting for the server, try 4, retry in 4 s"
