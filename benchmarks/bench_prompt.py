"""The prompt: keys while an answer streams, starts, long sessions, long lists, and peers.

    python -m benchmarks.bench_prompt [--keys 200] [--runs 5] [--megabytes 200]

Everything runs in a real pty. Beside the seconds stands the CPU time of the prompt's process in
them, which other work on the machine changes least. Floors are measured in the same run: a bare
prompt_toolkit for starts and keys, a search of the bare list for files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from benchmarks.figures import figure
from benchmarks.prompt_in_pty import PATIENCE, Prompt, Server, environment, prompt
from recordings.events import (
    CallRequest,
    ModelResponse,
    Observation,
    Permission,
    RoundEnd,
    SessionStart,
    ToolCall,
    ToolOutput,
    UserMessage,
)
from recordings.recorder import Recorder
from recordings.store.store import RecordingStore
from recordings.trust.first_start import working_key
from sii_cli.prompt.files import FileList

SII = [sys.executable, "-m", "sii_cli.main"]
BARE = (
    "from prompt_toolkit import PromptSession\n"
    "session = PromptSession('› ')\n"
    "while True: session.prompt()\n"
)
STEPS = 1000
LETTERS = [chr(code) for code in range(0x100, 0x180) if chr(code).isprintable()]
"""Letters that nothing but a typed key puts on the screen."""
LINE = "a line of output, as long as such lines are, and a little more of it\n"
CTRL_C, CTRL_U, ENTER = "\x03", "\x15", "\r"


def record(home: Path, megabytes: float, steps: int = STEPS, said: str = "Do it.") -> None:
    """Write a session of so many steps; nine tenths of its size are streamed output."""
    (home.parent / "work").mkdir(exist_ok=True)
    name, folder = RecordingStore(home / "recordings").create_folder()
    size = int(megabytes * 1e6 / steps)
    text, streamed = (LINE * max(1, int(part / len(LINE))) for part in (size / 10, size * 0.9))
    start = SessionStart.model_validate(
        dict.fromkeys(("sii_version", "base_url", "system_prompt"), "-")
        | {"workspace": str((home.parent / "work").resolve())}
        | {"mode": "interactive", "tools": [], "tools_sha256": "", "model": "m"}
    )
    with patch("os.fdatasync"):
        recorder = Recorder.create(folder, name, key=working_key(home))
        recorder.record(start, "harness")
        recorder.record(UserMessage(round=1, text=said), "human")
        for step in range(1, steps + 1):
            record_step(recorder, step, text, streamed)
        recorder.record(RoundEnd(round=1, status="answered", steps=steps), "harness")
        recorder.close()


def record_step(recorder: Recorder, step: int, text: str, streamed: str) -> None:
    asked = CallRequest(index=0, call_id=f"c{step}", name="bash", arguments='{"command":"ls"}')
    response = ModelResponse(
        step=step,
        attempt=1,
        content="Next.",
        calls=[asked],
        finish_reason="tool_calls",
        complete=True,
    )
    call = ToolCall(
        step=step,
        call_id=asked.call_id,
        index=0,
        name="bash",
        arguments=asked.arguments,
        parsed={"command": "ls"},
        approval=Permission(by="mode", mode="auto"),
    )
    observed = Observation(step=step, call_id=asked.call_id, name="bash", text=text, seconds=0.1)
    recorder.record(response, "model")
    recorder.record(call, "model")
    for at in range(0, len(streamed), 64 << 10):
        recorder.record(
            ToolOutput(call_id=asked.call_id, text=streamed[at : at + (64 << 10)]), "tool"
        )
    recorder.record(observed, "tool")


def show(name: str, seconds: list[float], cpu: list[float], aim: str) -> None:
    """Print quantiles of latencies, and of the CPU time in them."""
    for what, values in (("wall", seconds), ("CPU", cpu)):
        p50, p95, p99 = (quantile(values, q) * 1e3 for q in (0.5, 0.95, 0.99))
        print(f"{name:<34} {what:<5} {p50:6.1f} {p95:6.1f} {p99:6.1f} ms  p50 p95 p99 ({aim})")


def quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def keys(folder: Path, server: Server, count: int) -> None:
    """Measure keys while an answer streams in a session of 1,000 steps, and at a bare prompt."""
    record(folder / "home", 4.0)
    with prompt([*SII, "-c"], folder, SII_BASE_URL=f"http://127.0.0.1:{server.port}") as sii:
        sii.seen("ready")
        sii.drain(1.0)
        sii.send(f"go on{ENTER}")
        sii.seen("word word")
        streaming = share(sii, lambda: sii.drain(5.0))
        typed = type_letters(sii, count)
        sii.send(CTRL_C)
    with prompt([sys.executable, "-c", BARE], folder) as bare:
        bare.seen("›")
        floor = type_letters(bare, count)
    wall, cpu = (list(values) for values in zip(*typed, strict=True))
    least, least_cpu = (list(values) for values in zip(*floor, strict=True))
    show("key to screen, 200 tokens/s", wall, cpu, "aim 10 at p95, 30 at p99")
    show("  at rest in bare prompt_toolkit", least, least_cpu, "floor")
    print(f"{'  the stream alone':<34} CPU {streaming:8.1%} of a core")
    for name, q in (("p95", 0.95), ("p99", 0.99)):
        floor_ms = quantile(least, q) * 1e3
        figure(f"prompt: key to screen, {name}", quantile(wall, q) * 1e3, "ms", floor=floor_ms)
    figure("prompt: CPU while it streams", streaming * 100, "% of a core")


def share(at: Prompt, meanwhile: Callable[[], object]) -> float:
    """Return the share of a core that the program takes meanwhile."""
    began, before = time.monotonic(), at.cpu()
    meanwhile()
    return (at.cpu() - before) / (time.monotonic() - began)


def type_letters(at: Prompt, count: int) -> list[tuple[float, float]]:
    """Type letters, each once, at a quick typist's pace."""
    typed = []
    for number in range(count):
        typed.append(at.key(LETTERS[number % len(LETTERS)]))
        if number % 40 == 39:
            at.send(CTRL_U)
        at.drain(0.07 + 0.013 * (number % 5))
    return typed


def start(argv: list[str], folder: Path, ready: str = "›", **env: str) -> tuple[float, float]:
    """Return the seconds until the first key is on the screen, and the CPU time of them."""
    with prompt(argv, folder, **env) as at:
        if ready:
            at.seen(ready)
        at.send("ŵ")
        return at.seen("ŵ") - at.begun, at.cpu()


def starts(folder: Path, server: Server, runs: int) -> None:
    """Measure from the start to the first key."""
    env = {"SII_BASE_URL": f"http://127.0.0.1:{server.port}"}
    bare = middle([start([sys.executable, "-c", BARE], folder) for _ in range(runs + 1)][1:])
    sii = middle([start(SII, folder, **env) for _ in range(runs + 1)][1:])
    print_start("sii takes a key", sii, bare, "aim 150 ms")
    print_start("  bare prompt_toolkit", bare, bare, "floor")
    figure("prompt: sii takes a key", sii[0] * 1e3, "ms", floor=bare[0] * 1e3)


def print_start(name: str, took: tuple[float, float], floor: tuple[float, float], aim: str) -> None:
    wall, cpu = took
    ratio = f"{wall / floor[0]:.1f}x bare"
    print(f"{name:<34} wall {wall * 1e3:7.0f} ms  CPU {cpu * 1e3:7.0f} ms  {ratio} ({aim})")


def middle(values: list[tuple[float, float]]) -> tuple[float, float]:
    wall, cpu = zip(*values, strict=True)
    return statistics.median(wall), statistics.median(cpu)


def idle(folder: Path, server: Server) -> None:
    """Measure the CPU that a prompt at rest takes."""
    with prompt(SII, folder, SII_BASE_URL=f"http://127.0.0.1:{server.port}") as sii:
        sii.seen("ready")
        sii.drain(3.0)
        before, began = sii.cpu(), time.monotonic()
        sii.drain(10.0)
        used = (sii.cpu() - before) / (time.monotonic() - began)
    print(f"{'idle':<34} CPU {used:8.2%} of a core (aim 0.5 %)")
    figure("prompt: idle", used * 100, "% of a core")


def long_session(folder: Path, server: Server, megabytes: float, runs: int) -> None:
    """Measure how soon the line of a long session takes keys, and its first request is sent."""
    record(folder / "home", megabytes)
    env = {"SII_BASE_URL": f"http://127.0.0.1:{server.port}"}
    lines, requests = [], []
    for _ in range(runs):
        asked = len(server.asked)
        with prompt([*SII, "-r", "last"], folder, **env) as sii:
            sii.seen("›")
            sii.send("ŵ")
            lines.append((sii.seen("ŵ") - sii.begun, sii.cpu()))
            sii.send(ENTER)
            while len(server.asked) == asked:
                sii.drain(0.005)
                if time.monotonic() - sii.begun > PATIENCE:
                    raise SystemExit("no request came")
            requests.append((server.asked[asked] - sii.begun, sii.cpu()))
            sii.send(CTRL_C)
            sii.drain(0.5)
    for name, values, aim in (
        (f"sii -r of {megabytes:.0f} MB takes a key", lines, 0.5),
        ("  first request, checked", requests, 2.0),
    ):
        wall, cpu = middle(values)
        print(f"{name:<34} wall {wall:7.2f} s   CPU {cpu:7.2f} s   (aim {aim} s)")
    figure(f"prompt: sii -r of {megabytes:.0f} MB, a key", middle(lines)[0], "s")
    figure(f"prompt: sii -r of {megabytes:.0f} MB, first request", middle(requests)[0], "s")


def files(folder: Path, server: Server, count: int) -> None:
    """Measure `@` in a workspace of so many files."""
    words = ("parse", "build", "test", "ledger", "money", "index", "model", "view")
    for number in range(count // 100):
        inside = folder / "work" / words[number % 8] / f"part{number:03}"
        inside.mkdir(parents=True)
        for part in range(100):
            (inside / f"{words[part % 8]}_{part:02}.py").touch()
    listed = FileList()
    listed.open((folder / "work").resolve())
    listed.find("x", 30)
    slowest = 0.0
    for pattern in ("m", "mo", "money", "part9", "mnyprt", "ldgr99py", "zzzz", "tetete", "eeeeee"):
        began = time.thread_time()
        listed.find(pattern, 30)
        slowest = max(slowest, time.thread_time() - began)
    with prompt(SII, folder, SII_BASE_URL=f"http://127.0.0.1:{server.port}") as sii:
        sii.seen("ready")
        sii.drain(3.0)
        before, began = sii.cpu(), time.monotonic()
        sii.send("@money_12")
        wall, cpu = sii.seen("money_12.py") - began, sii.cpu() - before
    print(f"{f'@ over {count:,} files, worst':<34} CPU  {slowest * 1e3:7.1f} ms  (aim 50 ms)")
    print(f"{'  typed at the prompt':<34} wall {wall * 1e3:7.1f} ms  CPU {cpu * 1e3:7.1f} ms")
    figure(f"prompt: @ over {count:,} files, worst", slowest * 1e3, "ms of CPU")
    figure("prompt: @ at the prompt", wall * 1e3, "ms")


def picker(folder: Path, count: int) -> None:
    """Measure the list of `sii -r` over many recordings: until it is shown, and a search."""
    home = folder / "home"
    store = RecordingStore(home / "recordings")
    record(home, 0.001, steps=1, said="Look for the needle.")
    (needle,) = store.ids()
    record(home, 0.001, steps=1)
    (made,) = set(store.ids()) - {needle}
    for number in range(count - 2):
        name = f"2025{number % 12 + 1:02d}{number % 28 + 1:02d}-000000-{number:06x}"
        shutil.copytree(store.root / made, store.root / name)
    # An index that the program did not make itself is not the home's, and is made again.
    indexing = [*SII, "list"]
    subprocess.run(indexing, env=environment(folder, {}), check=True, stdout=subprocess.DEVNULL)
    with prompt([*SII, "-r"], folder) as sii:
        sii.seen("Do it.")
        shown, cpu = time.monotonic() - sii.begun, sii.cpu()
        sii.drain(0.5)
        before, began = sii.cpu(), time.monotonic()
        sii.send("needle")
        sii.seen("Look for the needle.")
        found, found_cpu = time.monotonic() - began, sii.cpu() - before
    print(f"{f'picker over {count:,}':<34} wall {shown * 1e3:7.0f} ms  CPU {cpu * 1e3:7.0f} ms")
    print(f"{'  a search':<34} wall {found * 1e3:7.0f} ms  CPU {found_cpu * 1e3:7.0f} ms")
    figure(f"prompt: picker over {count:,}", shown * 1e3, "ms")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_prompt")
    parser.add_argument("--keys", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--megabytes", type=float, default=200.0)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--recordings", type=int, default=10_000)
    options = parser.parse_args()
    print("load " + " ".join(f"{one:.1f}" for one in os.getloadavg()))
    server = Server()

    def in_folder(measure: Callable[[Path], None]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder))

    in_folder(lambda folder: keys(folder, server, options.keys))
    in_folder(lambda folder: starts(folder, server, options.runs))
    in_folder(lambda folder: idle(folder, server))
    in_folder(lambda folder: long_session(folder, server, options.megabytes, options.runs))
    in_folder(lambda folder: files(folder, server, options.files))
    in_folder(lambda folder: picker(folder, options.recordings))
    print("load " + " ".join(f"{one:.1f}" for one in os.getloadavg()))


if __name__ == "__main__":
    main()
