"""Token ids → text, by a model's own `tokenizer.json`; special tokens are kept apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from sii_cli.tokenizer.tokenizer_file import (
    UnknownTokenizer,
    byte_characters,
    read_tokenizer,
    tokenizer_path,
)

Piece = tuple[bool, str]
"""Whether it is a special token, and its text."""


class TokenText:
    """Spells ids as the tokenizer would; byte-level BPE alone."""

    def __init__(self, tokens: dict[int, bytes], added: dict[int, str]) -> None:
        self._tokens = tokens
        self._added = added

    @classmethod
    def load(cls, path: Path) -> TokenText:
        """Read a tokenizer file, or the one in a model's folder. Raises `UnknownTokenizer`."""
        path = tokenizer_path(path)
        content = read_tokenizer(path)
        try:
            parsed: dict[str, Any] = orjson.loads(content)
            decode = {character: byte for byte, character in enumerate(byte_characters())}
            added = {token["id"]: token["content"] for token in parsed["added_tokens"]}
            tokens = {
                number: bytes(decode[character] for character in text)
                for text, number in parsed["model"]["vocab"].items()
                if number not in added
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnknownTokenizer(f"{path} is not a byte-level tokenizer ({error!r})") from None
        return cls(tokens, added)

    def pieces(self, ids: Sequence[int]) -> Iterator[Piece]:
        """Yield the text of ids: stretches of plain text, and special tokens one by one.

        An id that the tokenizer does not have is spelled `<id 7>`, as a special one.
        """
        plain = bytearray()
        for one in ids:
            if (token := self._tokens.get(one)) is not None:
                plain += token
                continue
            if plain:
                yield False, plain.decode("utf-8", "backslashreplace")
                plain = bytearray()
            yield True, self._added.get(one, f"<id {one}>")
        if plain:
            yield False, plain.decode("utf-8", "backslashreplace")
