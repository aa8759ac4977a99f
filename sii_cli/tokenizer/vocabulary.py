"""A model's `tokenizer.json`: plain text → ids that spell no control token, and ids → bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from sii_cli.tokenizer.tokenizer_file import (
    UnknownTokenizer,
    byte_characters,
    parse_tokenizer,
    read_tokenizer,
    tokenizer_path,
)

if TYPE_CHECKING:
    pass

Piece = str | int
"""Plain text, or the id of a control token."""

_LOADING = Lock()
_BEYOND_IDS = 1 << 32
"""Every id of a tokenizer is below it; a server may name any number."""


class Vocabulary:
    """What a model reads and writes. Byte-level BPE alone."""

    def __init__(self, content: bytes, name: str) -> None:
        """`content`: of the file `name`. Raises `UnknownTokenizer`."""
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._plain = parse_tokenizer(content, name)
        added = self._plain.get_added_tokens_decoder()
        self.control = {token.content: number for number, token in added.items()}
        """Ids of the control tokens by their text."""
        self.names = {number: text for text, number in self.control.items()}
        # `encode_special_tokens` counts for tokens that are marked special, and some families do
        # not mark theirs (GLM: `<think>`, `<tool_call>`).
        self._plain.add_special_tokens(list(self.control))
        self._plain.encode_special_tokens = True
        self._bytes = {character: byte for byte, character in enumerate(byte_characters())}
        self._known: dict[int, bytes] = {}
        longest_first = sorted(self.control, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._prove(name)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; a control token in it stays plain text."""
        ids: list[int] = self._plain.encode(text, add_special_tokens=False).ids
        return ids

    def join(self, pieces: Iterable[Piece]) -> list[int]:
        """Return the ids of pieces; neighbouring texts are encoded as one."""
        ids: list[int] = []
        run = ""
        for piece in pieces:
            if isinstance(piece, str):
                run += piece
                continue
            if run:
                ids += self.encode(run)
                run = ""
            ids.append(piece)
        return ids + self.encode(run) if run else ids

    def pieces(self, text: str) -> Iterator[Piece]:
        """Split a text that sii wrote itself: its control tokens become their ids."""
        at = 0
        for found in self._names.finditer(text):
            if found.start() > at:
                yield text[at : found.start()]
            yield self.control[found.group()]
            at = found.end()
        if at < len(text):
            yield text[at:]

    def bytes_of(self, token: int) -> bytes:
        """Return what an id spells in UTF-8, perhaps a part of a character.

        An id that the tokenizer does not have spells nothing.
        """
        known = self._known.get(token)
        if known is None:
            name = self.names.get(token)
            if name is None:
                text = self._plain.id_to_token(token) if 0 <= token < _BEYOND_IDS else None
                if text is None:
                    return b""
                known = self._bytes_of_entry(text)
            else:
                known = name.encode()
            self._known[token] = known
        return known

    def _bytes_of_entry(self, text: str) -> bytes:
        """Return the bytes of an entry; one that is not byte-level spells itself."""
        try:
            return bytes(self._bytes[character] for character in text)
        except KeyError:
            return text.encode("utf-8", "replace")

    def sample(self, count: int) -> str:
        """Return the texts of about `count` entries, evenly spread over the ids, the last included.

        One entry a line; what is a part of a character or a control token is left out.
        """
        size: int = self._plain.get_vocab_size(with_added_tokens=False)
        step = max(1, size // count)
        entries = (self.bytes_of(number) for number in range(size - 1, -1, -step))
        return "\n".join(text for entry in entries if (text := entry.decode("utf-8", "ignore")))

    def spell(self, ids: Iterable[int]) -> str:
        """Return what ids spell, control tokens included."""
        return b"".join(map(self.bytes_of, ids)).decode("utf-8", "replace")

    def _prove(self, name: str) -> None:
        """Raise `UnknownTokenizer` unless text and control tokens are told apart."""
        spelled = " ".join(self.control)
        ids = self.encode(spelled)
        if self.spell(ids) != spelled:
            raise UnknownTokenizer(f"{name} is not a byte-level tokenizer")
        if not self.names.keys().isdisjoint(ids):
            raise UnknownTokenizer(f"{name} cannot tell text from control tokens")


def load_vocabulary(path: Path) -> Vocabulary:
    """Return the vocabulary of a tokenizer file, or of the one in a model's folder.

    It is read once a process. Raises `UnknownTokenizer`.
    """
    path = tokenizer_path(path)
    try:
        changed = path.stat()
        with _LOADING:
            return _load(path, changed.st_mtime_ns, changed.st_size)
    except OSError as error:
        raise UnknownTokenizer(f"{path} cannot be read ({error.strerror})") from None


@lru_cache(maxsize=4)
def _load(path: Path, _changed: int, _size: int) -> Vocabulary:
    return Vocabulary(read_tokenizer(path), str(path))
