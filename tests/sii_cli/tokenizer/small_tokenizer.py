"""A model's folder without a model: byte-level tokens, GLM's control tokens and templates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

TEMPLATES = Path(__file__).parents[2] / "tiny_glm" / "templates"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
CONTROL = ("<|endoftext|>", "[gMASK]", "<sop>", *ROLES)
PLAIN = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>")


def make_folder(folder: Path, form: str = "glm45") -> Path:
    """Write what `--tokenizer` reads."""
    folder.mkdir(parents=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {character: place for place, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(one, special=True) for one in CONTROL])
    tokenizer.add_tokens([AddedToken(one, special=False) for one in PLAIN])
    tokenizer.save(str(folder / "tokenizer.json"))
    shutil.copy(TEMPLATES / f"{form}.jinja", folder / "chat_template.jinja")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    stops = [tokenizer.token_to_id(one) for one in ("<|endoftext|>", "<|user|>", "<|observation|>")]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": stops}))
    return folder
