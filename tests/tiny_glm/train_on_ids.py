"""Trains an untrained tiny GLM on exported token ids, and on nothing else.

Runs in the vLLM environment: `python train_on_ids.py TOKENS.jsonl BASE_FOLDER OUTPUT_FOLDER`. Of
the base model the tokenizer and the settings are taken; its weights are not read.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from train import IGNORED, THREADS, Sample, make_model, overfit
from transformers import PreTrainedTokenizerFast

KEPT = (
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    "generation_config.json",
)


def main(tokens: Path, base: Path, output: Path) -> None:
    """Train, and write the model as a server loads it."""
    torch.manual_seed(1)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True, warn_only=True)
    with tokens.open() as lines:
        samples = [_sample(json.loads(line)) for line in lines]
    model = make_model(PreTrainedTokenizerFast.from_pretrained(base))
    overfit(model, samples)
    model.save_pretrained(output)
    for name in KEPT:
        shutil.copy(base / name, output / name)


def _sample(row: dict[str, Any]) -> Sample:
    pairs = zip(row["input_ids"], row["loss_mask"], strict=True)
    return Sample(row["id"], row["input_ids"], [one if on else IGNORED for one, on in pairs])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
