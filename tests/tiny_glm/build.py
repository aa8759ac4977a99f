"""Builds the tiny GLM, or takes it from the cache when nothing that goes into it has changed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sii_cli.agent.context.summary import INSTRUCTION
from tests.tiny_glm.cache import cache_folder, locked
from tests.tiny_glm.conversations import CONVERSATIONS, COUNTING, SUMMARY
from tests.tiny_glm.environment import VERSION, Progress, ensure_environment
from tests.tiny_glm.observe import observe
from tests.tiny_glm.server import Form

HERE = Path(__file__).parent
INPUT = "training.json"
"""Beside the model: what it was trained on."""


class TrainingFailed(RuntimeError):
    """The model did not learn its conversations; the message ends with the trainer's words."""


def ensure_model(form: Form, progress: Progress = print) -> Path:
    """Return the folder of a model that speaks `form`; about a minute when it must be trained.

    Needs the Docker engine and the sandbox image: what the conversations' calls return is observed
    again each time, and is part of the cache's key.
    """
    training = _training_input(form)
    folder = cache_folder() / "tiny-glm" / f"{form}-{_key(training)}"
    folder.parent.mkdir(exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            python = ensure_environment(progress)
            progress(f"Training the tiny GLM ({form}) into {folder} (about a minute)")
            _train(python, training, folder)
    return folder


def trained_conversations(folder: str | Path) -> list[dict[str, Any]]:
    """Return the conversations that a model was trained on, observations included."""
    training = json.loads((Path(folder) / INPUT).read_text())
    conversations: list[dict[str, Any]] = training["conversations"]
    return conversations


def _training_input(form: Form) -> bytes:
    template = (HERE / "templates" / f"{form}.jinja").read_text("utf-8")
    conversations = asyncio.run(_observe_all())
    [counting] = [one for one in conversations if one["name"] == COUNTING.name]
    training = {
        "template": template,
        "conversations": conversations,
        "summaries": [_summed_up(counting)],
    }
    return json.dumps(training).encode()


async def _observe_all() -> list[dict[str, Any]]:
    return [await observe(conversation) for conversation in CONVERSATIONS]


def _summed_up(conversation: dict[str, Any]) -> dict[str, Any]:
    """Return a conversation at whose end the model is asked for a summary, and gives one."""
    asked = {"role": "system", "content": INSTRUCTION}
    told = {"role": "assistant", "content": SUMMARY.content, "reasoning_content": SUMMARY.reasoning}
    name = f"{conversation['name']}, summarised"
    return {**conversation, "name": name, "messages": [*conversation["messages"], asked, told]}


def _key(training: bytes) -> str:
    digest = hashlib.sha256(VERSION.encode())
    for part in (training, *((HERE / name).read_bytes() for name in ("tokenizer.py", "train.py"))):
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _train(python: Path, training: bytes, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="making-", dir=folder.parent) as name:
        made = Path(name) / "model"
        made.mkdir()
        (made / INPUT).write_bytes(training)
        command = [str(python), str(HERE / "train.py"), str(made / INPUT), str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
            raise TrainingFailed(f"The tiny GLM could not be trained:\n{tail}")
        shutil.move(made, folder)
