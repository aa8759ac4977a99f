"""A model's own `tokenizer.json` → a tiktoken encoding that counts as the model's server does.

Byte-level BPE alone is read (GLM, Llama 3, Qwen, …); anything else is refused, never guessed at.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from tiktoken import Encoding

from recordings.storage.opening import read_named

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"
LARGEST = 256 << 20
"""Bytes of a file; those of models with 250,000 tokens have 35 million."""

_WORDS = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"  # GPT-2's
_WHOLE = r"[\s\S]+"
"""Text that is not split into words before it is merged."""


class UnknownTokenizer(Exception):
    """Raised when a tokenizer cannot be built; the message says why."""


def tokenizer_path(path: Path) -> Path:
    """Return the tokenizer file of a model's folder; a file is that itself."""
    return path / FILE if path.is_dir() else path


def read_tokenizer(path: Path) -> bytes:
    """Return the content of a tokenizer file. Raises `UnknownTokenizer`."""
    try:
        return read_named(path, LARGEST)
    except OSError as error:
        why = error.strerror or str(error)
        raise UnknownTokenizer(f"{path} cannot be read ({why})") from None


def parse_tokenizer(content: bytes, name: str) -> Tokenizer:
    """Return the tokenizer of the content of the file `name`. Raises `UnknownTokenizer`."""
    from tokenizers import Tokenizer  # slow to import

    try:
        return Tokenizer.from_str(content.decode())
    except BaseException as error:  # tokenizers raises nothing more special, and panics
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UnknownTokenizer(f"{name} is not a tokenizer ({str(error)[:200]})") from None


def load_encoding(path: Path) -> Encoding:
    """Return the encoding of a tokenizer file, or of the one in a model's folder.

    Raises `UnknownTokenizer`.
    """
    path = tokenizer_path(path)
    try:
        return _encoding(path, orjson.loads(read_tokenizer(path)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnknownTokenizer(f"{path} is not a tokenizer that is known here ({error})") from None


def _encoding(path: Path, parsed: dict[str, Any]) -> Encoding:
    model = parsed["model"]
    if model.get("type", "BPE") != "BPE" or model.get("byte_fallback"):
        raise ValueError("no byte-level BPE")
    if parsed.get("normalizer") is not None:
        raise ValueError("it changes the text before it reads it")
    added = {token["content"]: token["id"] for token in parsed.get("added_tokens") or ()}
    return Encoding(
        name=str(path),
        pat_str=_pattern(parsed.get("pre_tokenizer")),
        mergeable_ranks=_ranks(model),
        special_tokens=_apart(added, len(model["vocab"]) + len(model["merges"])),
    )


def _pattern(pre_tokenizer: dict[str, Any] | None) -> str:
    """Return the regular expression that splits a text into words."""
    whole = pre_tokenizer or {}
    steps: list[dict[str, Any]] = whole.get("pretokenizers") or [whole]
    patterns = []
    for step in steps:
        match step:
            case {"type": "Split", "pattern": {"Regex": str(pattern)}, "behavior": "Isolated"}:
                patterns.append(pattern)
            case {"type": "ByteLevel", "add_prefix_space": False, **rest}:
                if rest.get("use_regex", True):
                    patterns.append(_WORDS)
            case _:
                raise ValueError(f"a pre-tokenizer {step.get('type')}")
    if len(patterns) > 1:
        raise ValueError("several splits")
    return patterns[0] if patterns else _WHOLE


def _ranks(model: dict[str, Any]) -> dict[bytes, int]:
    """Return every token's bytes with its place in the order of merging: bytes alone first."""
    decode = {character: byte for byte, character in enumerate(byte_characters())}
    ranks = {bytes([byte]): byte for byte in range(256)}
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        token = bytes(decode[character] for character in left + right)
        ranks.setdefault(token, len(ranks))
    return ranks


def byte_characters() -> list[str]:
    """Return the character that stands for each byte in a byte-level vocabulary (GPT-2's)."""
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in shown else next(others)) for byte in range(256)]


def _apart(added: dict[str, int], first: int) -> dict[str, int]:
    """Number the added tokens so that none is taken for a merged one: only their count matters."""
    return {text: first + 256 + place for place, text in enumerate(added)}
