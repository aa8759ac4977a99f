"""The launch script beside a slime export: it runs as it is, and the card shows the same."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.recordings.export.exporting import exported
from tests.recordings.samples.told_session import two_rounds

RAY = '#!/bin/sh\nfor one in "$@"; do printf "%s\\0" "$one"; done\n'
"""Says what it was given."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    two_rounds(tmp_path / "s")
    exported(tmp_path / "my data", "slime", tmp_path / "s", with_script=True)
    return tmp_path / "my data"


def launched(out: Path, tmp_path: Path, *args: str, **env: str) -> list[str]:
    """What the script asks of ray, in a folder like slime's."""
    models = tmp_path / "slime/scripts/models"
    models.mkdir(parents=True)
    (models / "glm4.5-106B-A12B.sh").write_text("MODEL_ARGS=(--num-layers 46)\n")
    ray = tmp_path / "bin/ray"
    ray.parent.mkdir()
    ray.write_text(RAY)
    ray.chmod(0o755)
    environment = {"PATH": f"{ray.parent}:{os.environ['PATH']}", **env}
    done = subprocess.run(
        [out / "launch.sh", *args],
        cwd=tmp_path / "slime",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\0")[:-1]


def test_it_is_sound_shell_and_the_card_shows_it(out: Path) -> None:
    script = out / "launch.sh"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)
    assert f"```sh\n{script.read_text()}```\n" in (out / "README.md").read_text()


def test_it_launches_slime_on_the_data_beside_it(out: Path, tmp_path: Path) -> None:
    paths = {"HF_CHECKPOINT": "/m/GLM 4.5", "REF_LOAD": "/m/dist", "SAVE": "/m/out"}
    given = launched(out, tmp_path, "--lr", "2e-5", **paths)
    environment = json.loads(given[given.index("--runtime-env-json") + 1])["env_vars"]
    assert environment["PYTHONPATH"].split(":")[-1] == str(out)
    flags = given[given.index("--") + 1 :]
    said = {name: flags[place + 1] for place, name in enumerate(flags[:-1])}
    assert said["--prompt-data"] == str(out / "train.jsonl")
    assert said["--hf-checkpoint"] == "/m/GLM 4.5"
    assert said["--num-layers"] == "46"
    assert said["--rollout-function-path"] == "sii_rollout.generate_rollout"
    # Two rows are one batch: slime would do nothing at all with a batch of 64.
    assert said["--rollout-batch-size"] == said["--global-batch-size"] == "2"
    assert flags[-2:] == ["--lr", "2e-5"]


def test_without_the_model_it_says_what_it_wants(out: Path) -> None:
    done = subprocess.run([out / "launch.sh"], capture_output=True, text=True, check=False, env={})
    assert done.returncode != 0
    assert "HF_CHECKPOINT: set it to the folder of the model" in done.stderr


def test_it_is_written_when_it_is_asked_for(tmp_path: Path) -> None:
    two_rounds(tmp_path / "s")
    exported(tmp_path / "out", "slime", tmp_path / "s")
    assert not (tmp_path / "out" / "launch.sh").exists()
