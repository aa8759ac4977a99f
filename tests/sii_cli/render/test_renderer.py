"""What a human sees of a session: one renderer for the prompt, headless text, show and replay."""

from __future__ import annotations

import io
import os
import pty
import re
import time
from dataclasses import replace
from textwrap import dedent

import pyte
import pytest

from recordings.events import (
    FileChange,
    HarnessMessage,
    LiveOutput,
    ModelError,
    ModelResponse,
    NetworkRequest,
    Permission,
    RawGeneration,
    SandboxStart,
    Snapshot,
    ToolCall,
)
from sii_cli.agent.event_channel import Item
from sii_cli.render.renderer import EventRenderer
from sii_cli.render.screen import PlainScreen, TerminalScreen
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


def plain(*items: Item, fold: bool = True) -> str:
    """What a file gets."""
    stream = io.StringIO()
    renderer = EventRenderer(PlainScreen(stream), fold=fold)
    for item in items:
        renderer.feed(item)
    renderer.finish()
    return stream.getvalue()


class Window:
    """A terminal of 80 columns and 24 rows."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.renderer = EventRenderer(TerminalScreen(self.stream))

    def feed(self, *items: Item) -> Window:
        for item in items:
            self.renderer.feed(item)
        return self

    @property
    def text(self) -> str:
        screen = pyte.Screen(80, 24)
        pyte.Stream(screen).feed(self.stream.getvalue().replace("\n", "\r\n"))
        return "\n".join(line.rstrip() for line in screen.display).rstrip()


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> Window:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Window()


def shows(text: str, expected: str) -> None:
    assert text.strip("\n") == dedent(expected).strip("\n")


def test_a_round_from_the_task_to_the_answer() -> None:
    text = plain(
        start(),
        user("Why does it fail?\nLook well."),
        request(),
        delta("reasoning", "I look "),
        delta("reasoning", "first.\n"),
        delta("content", "\n"),
        response(reasoning="I look first.\n", content="\n", calls=1),
        call("bash", {"command": "pytest -q"}),
        observation("bash", "1 failed\n[exit code 1]", exit_code=1, seconds=2.34),
        request(),
        delta("content", "It was **wrong**."),
        response(content="It was **wrong**."),
        end(),
    )
    shows(
        text,
        """
        sii 1.2.3 · glm · http://127.0.0.1:8000/v1 · /home/me/project

        › Why does it fail?
          Look well.

        I look first.

        ● bash  pytest -q
          │ 1 failed
          │ [exit code 1]
          └ 2.3 s

        It was **wrong**.
        """,
    )


def test_without_deltas_the_text_of_the_response_is_shown_once() -> None:
    whole = plain(request(), response(content="Yes.", reasoning="Hm."))
    streamed = plain(
        request(),
        delta("reasoning", "Hm."),
        delta("content", "Yes."),
        response(content="Yes.", reasoning="Hm."),
    )
    assert whole == streamed == "Hm.\n\nYes.\n"


def test_a_long_output_keeps_its_beginning_and_its_end() -> None:
    output = "\n".join(f"line {number}" for number in range(100))
    text = plain(call("bash", {"command": "seq"}), observation("bash", output))
    assert "line 0\n" in text
    assert "line 99\n" in text
    assert "… +88 lines" in text
    assert "line 50\n" not in text
    assert "line 50\n" in plain(observation("bash", output), fold=False)


@pytest.mark.parametrize("ends", ["12", "21"])
def test_results_of_parallel_calls_stand_below_their_call_in_the_order_of_the_calls(
    ends: str,
) -> None:
    text = plain(
        call("read_file", {"path": "a.py"}, "1"),
        call("edit_file", {"path": "b.py"}, "2"),
        *(observation("read_file", f"of {which}", which) for which in ends),
    )
    shows(
        text,
        """
        ● read_file  a.py
          │ of 1

        ● edit_file  b.py
          │ of 2
        """,
    )


def test_calls_that_were_never_answered_are_shown_at_the_end() -> None:
    one, two = call("bash", {"command": "a"}, "1"), call("bash", {"command": "b"}, "2")
    assert plain(one, two) == "● bash  a\n\n● bash  b\n"
    assert plain(one, two, observation("bash", "B", "2"), end("failed", "x")).startswith(
        "● bash  a\n\n● bash  b\n  │ B\n\nStopped: x"
    )


@pytest.mark.parametrize(
    ("name", "arguments", "shown"),
    [
        ("bash", {"command": "cd x\nmake"}, "● bash  cd x\n    make\n"),
        ("python", {"code": "x = 1\nprint(x)"}, "● python\n    x = 1\n    print(x)\n"),
        ("read_file", {"path": "a.py", "offset": 5}, "● read_file  a.py offset 5\n"),
        ("write_file", {"path": "a", "content": "1\n2\n"}, "● write_file  a  2 lines\n"),
        ("edit_file", {"path": "a", "edits": [1, 2]}, "● edit_file  a  2 edits\n"),
        ("web_search", {"query": "vllm"}, "● web_search  vllm\n"),
        ("web_fetch", {"url": "http://a"}, "● web_fetch  http://a\n"),
        ("other", {"a": 1, "b": "x"}, "● other  a=1, b='x'\n"),
        ("bash", {"command": 7}, "● bash  7\n"),
        ("bash", {}, "● bash\n"),
        ("edit_file", {"path": None, "edits": "x"}, "● edit_file  None\n"),
        ("bash", '{"command": "unfinished', '● bash  {"command": "unfinished\n'),
    ],
)
def test_a_call_is_summed_up_whatever_its_arguments_are(
    name: str, arguments: dict[str, object] | str, shown: str
) -> None:
    assert plain(call(name, arguments)) == shown


def test_an_edit_shows_its_diff() -> None:
    diff = "--- a/x\n+++ b/x\n@@ -1,1 +1,1 @@\n-old\n+new"
    text = plain(observation("edit_file", "Edited x.", details={"diff": diff}))
    assert text.endswith("  │ @@ -1,1 +1,1 @@\n  │ -old\n  │ +new\n")


def test_what_went_wrong_is_told() -> None:
    text = plain(
        request(),
        delta("content", "half"),
        event(
            ModelError(
                step=1,
                attempt=1,
                kind="connect",
                message="No answer.",
                retry_in=3.0,
                content="half",
            )
        ),
        response(content="cut", complete=False),
        event(HarnessMessage(reason="cut_off", text="Go on.")),
        end("limit", "200 steps (max_steps)"),
    )
    assert "No answer. The partial response is discarded. Next try in 3.0 s." in text
    assert "The message was cut off at its limit; nothing in it was run." in text
    assert "note to the model: Go on." in text
    assert "Stopped at a limit: 200 steps (max_steps)" in text


def asked(host: str, reason: str = "") -> Item:
    """A request to the network; one that was refused for a reason, if there is one."""
    return event(
        NetworkRequest(
            sandbox_id="s", host=host, port=443, method="CONNECT", allowed=not reason, reason=reason
        )
    )


def test_what_the_network_refused_to_a_call_is_told_once_and_what_it_allowed_is_not() -> None:
    refused = asked("a.test", "not_allowed")
    text = plain(
        call("bash", {"command": "curl"}),
        *(asked("b.test"), refused, refused, asked("c.test", "unknown_host")),
        observation("bash", "curl: (56)"),
        refused,
    )
    assert text.count("network: a.test:443 not allowed") == 1
    assert "network: c.test:443 unknown host" in text
    assert "b.test" not in text


def test_a_call_that_is_not_allowed_says_why_in_the_words_of_who_refused_it() -> None:
    told = call("bash", {"command": "curl"})
    assert isinstance(told.data, ToolCall)
    refused = Permission(by="human", mode="ask", allowed=False, words="No network.\nEver.")
    text = plain(event(told.data.model_copy(update={"approval": refused})))
    assert "│ not allowed: No network. Ever." in text


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31m[bold red]x[/] \u202ey\x9b1m \x1b"


def test_doubts_about_a_step_are_told_in_words_and_those_of_every_step_once() -> None:
    newer = {"step": 2, "attempt": 1, "flags": ["calls_differ", "new_one"], "text": "<x>"}
    doubtful = replace(response("Hi."), data=replace_flags("ids_missing", "ids_count_differs"))
    raw = event(RawGeneration.model_validate(newer))
    shown = plain(doubtful, raw, doubtful)
    assert shown.count("exact samples cannot be made") == 1
    assert shown.count("step 1:") == 2
    assert "step 2: the calls in the ids are not those that were run; new_one" in shown


def replace_flags(*flags: str) -> ModelResponse:
    data = response("Hi.").data
    assert isinstance(data, ModelResponse)
    return data.model_copy(update={"flags": list(flags)})


def test_nothing_that_others_wrote_reaches_the_terminal_as_a_command(window: Window) -> None:
    window.feed(
        start(),
        user(HOSTILE),
        event(SandboxStart(backend=HOSTILE, sandbox_id="", start_seconds=0.0, network=[HOSTILE])),
        request(),
        delta("reasoning", HOSTILE),
        delta("content", f"# {HOSTILE}\n\n```{HOSTILE}\n{HOSTILE}\n```\n[a](http://b{HOSTILE})"),
        response(calls=1),
        call(HOSTILE, {"command": HOSTILE, HOSTILE: HOSTILE}),
        LiveOutput("c1", HOSTILE),
        asked(HOSTILE, HOSTILE),
        observation(HOSTILE, HOSTILE, details={"todos": [{"content": HOSTILE, "status": HOSTILE}]}),
        call("bash", {"command": HOSTILE}, "2"),
        observation("bash", HOSTILE, "3", details={"diff": HOSTILE}),
        event(HarnessMessage(reason="undo", text=HOSTILE)),
        end("failed", HOSTILE),
    )
    window.renderer.finish()
    ours = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?2026[hl]|\x1b\[\d+F|\x1b\[J")
    left = ours.sub("", window.stream.getvalue())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", left)
    assert "\x1b[31m[bold" not in window.stream.getvalue()
    assert "[bold red]x[/]" in left


def test_a_sandbox_that_gets_ready_amid_a_sentence_does_not_break_it() -> None:
    ready = event(SandboxStart(backend="docker", sandbox_id="", start_seconds=0.2))
    text = plain(
        request(), delta("reasoning", "I look "), ready, delta("reasoning", "first."), response()
    )
    assert text.index("I look first.") < text.index("sandbox ready")


def test_streamed_text_stands_there_at_once_and_only_once(window: Window) -> None:
    window.feed(request(), delta("content", "A **bo"))
    assert window.text.strip() == "A **bo"
    window.feed(delta("content", "ld** word.\n\nNext"))
    assert window.text.split("\n") == ["A bold word.", "", "Next"]
    window.feed(response(content="A **bold** word.\n\nNext"))
    assert window.text.split("\n") == ["A bold word.", "", "Next"]


def test_running_output_is_the_tail_until_the_observation_folds_it(window: Window) -> None:
    window.feed(call("bash", {"command": "make"}))
    for number in range(50):
        window.feed(LiveOutput("c1", f"step {number}\n"))
    assert window.text.split("\n")[0] == "● bash  make"
    assert window.text.split("\n")[-1] == "  │ step 49"
    assert len(window.text.split("\n")) < 10
    window.feed(observation("bash", "all done"))
    assert window.text == "● bash  make\n  │ all done"


def test_a_tail_is_never_taller_than_the_window(window: Window) -> None:
    window.feed(request(), delta("content", "row\n" * 500 + "last"))
    assert window.text.endswith("last")
    window.feed(response(content="x"))
    # Nothing of the tail is left twice: the paragraph is one, and rendered as such.
    assert window.text.count("last") == 1


def test_wide_characters_are_measured(window: Window) -> None:
    window.feed(request(), delta("reasoning", "日本語" * 30))
    assert all(len(line) <= 40 for line in window.text.split("\n"))
    window.feed(response(reasoning="日本語" * 30))
    assert window.text.replace("\n", "").replace(" ", "") == "日本語" * 30


def test_no_colour_means_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    window = Window()
    window.feed(call("python", {"code": "x = 'a'"}), end("failed", "x"))
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", window.stream.getvalue())


def test_a_delta_costs_the_same_after_much_text() -> None:
    def seconds(before: int) -> float:
        window = Window()
        window.feed(request(), *(delta("reasoning", "some words\n") for _ in range(before)))
        begun = time.perf_counter()
        window.feed(*(delta("reasoning", "some words ") for _ in range(200)))
        return time.perf_counter() - begun

    seconds(10)
    assert min(seconds(5000) for _ in range(3)) < 3 * min(seconds(10) for _ in range(3)) + 0.01


def test_a_terminal_without_a_size_is_drawn_as_a_usual_one() -> None:
    """`script` without a terminal and `docker exec -t` give one of no columns."""
    leader, follower = pty.openpty()
    with open(follower, "w", encoding="utf-8") as stream, open(leader, "rb") as read:
        screen = TerminalScreen(stream)
        screen.foot("working")
        screen.foot("")
        assert os.get_terminal_size(stream.fileno()).columns == 0
        assert b"working" in os.read(read.fileno(), 4096)


def folded(window: Window) -> EventRenderer:
    window.renderer = EventRenderer(TerminalScreen(window.stream), fold_thoughts=True)
    return window.renderer


def test_a_thought_is_the_tail_while_it_streams_and_one_line_when_it_ends(window: Window) -> None:
    folded(window)
    window.feed(request(), *(delta("reasoning", f"thought number {n}\n") for n in range(30)))
    assert window.text.split("\n")[-1] == "thought number 29"
    assert "thought number 20" not in window.text
    window.feed(delta("content", "So."), response(content="So."))
    assert window.text.split("\n") == ["thought 0 s · 30 lines ▸", "", "So."]


def test_what_changed_stands_above_the_next_thought(window: Window) -> None:
    folded(window)
    changed = FileChange(path="a.py", kind="added", added=1, removed=0)
    window.feed(
        user("Go."),
        request(),
        delta("reasoning", "Hm."),
        event(Snapshot(step=1, cause="step", tree="t", changes=[changed], seconds=0.0)),
        delta("content", "So."),
    )
    window.renderer.finish()
    assert window.text.split("\n") == [
        "› Go.",
        "± a.py +1 (new)",
        "",
        "thought 0 s · 1 line ▸",
        "",
        "So.",
    ]


def test_a_failure_that_repeats_itself_takes_one_line(window: Window) -> None:
    error = ModelError(
        step=1, attempt=1, kind="rate_limited", message="429.", status=429, retry_in=3.0
    )
    window.feed(request(), *[event(error)] * 20)
    assert window.text == "429. Next try in 3.0 s."
    window.feed(response(content="Hi."), *[event(error)] * 2)
    assert window.text.count("429.") == 2


def test_a_long_message_of_the_human_is_folded_on_a_terminal(window: Window) -> None:
    pasted = "\n".join(f"line {number}" for number in range(2000))
    window.feed(user(pasted))
    rows = window.text.split("\n")
    assert (len(rows), rows[0], rows[8], rows[-1]) == (
        17,
        "› line 0",
        "  … +1,984 lines",
        "  line 1999",
    )
    assert plain(user(pasted)).count("\n") == 2000
    window.feed(user("x" * 100_000))
    assert window.text.endswith("…")
