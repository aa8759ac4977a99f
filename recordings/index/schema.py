"""The tables of the index, and the texts of an event that it holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from recordings.storage.lines import STREAMED

VERSION = 12
"""A file with another version is deleted and built again."""

# `folder` is the name of the batch's folder, empty for the home's own recordings.
# A place's number is never used again: the words of a removed place stay in `texts`, which has no
# texts and so cannot delete them.
MADE_BY = "CREATE TABLE made_by (proof TEXT NOT NULL)"
TABLES = f"""
{MADE_BY};
CREATE TABLE recordings (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, folder TEXT NOT NULL DEFAULT '',
    inode INTEGER, size INTEGER, mtime INTEGER, reviews_mtime INTEGER,
    offset INTEGER NOT NULL DEFAULT 0, line INTEGER NOT NULL DEFAULT 1, head TEXT DEFAULT '',
    parent TEXT, parent_seq INTEGER, why TEXT DEFAULT '',
    status TEXT, mode TEXT DEFAULT '', model TEXT DEFAULT '', query TEXT, batch TEXT,
    started REAL, ended REAL, rounds INTEGER DEFAULT 0, steps INTEGER DEFAULT 0,
    tokens INTEGER DEFAULT 0, first_message TEXT DEFAULT '',
    longest INTEGER DEFAULT 0, facts TEXT DEFAULT '',
    uncounted INTEGER DEFAULT 0,
    outcome TEXT, score REAL, reason TEXT DEFAULT '', rubric TEXT, last_check TEXT,
    excluded INTEGER DEFAULT 0, speaker TEXT, doubts TEXT DEFAULT '',
    UNIQUE (id, folder)
);
CREATE TABLE judged_by (key TEXT NOT NULL);
INSERT INTO judged_by VALUES ('');
CREATE INDEX recordings_started ON recordings (started);
CREATE INDEX recordings_parent ON recordings (parent);
CREATE TABLE tools (number INTEGER, name TEXT, calls INTEGER, PRIMARY KEY (number, name));
CREATE TABLE errors (number INTEGER, kind TEXT, count INTEGER, PRIMARY KEY (number, kind));
CREATE TABLE tags (number INTEGER, tag TEXT, first INTEGER, PRIMARY KEY (number, tag));
CREATE TABLE verdicts (
    number INTEGER, reviewer TEXT, role TEXT NOT NULL, time REAL, sha256 TEXT, verdict TEXT,
    PRIMARY KEY (number, reviewer, role)
);
CREATE TABLE authors (number INTEGER, name TEXT, PRIMARY KEY (number, name));
CREATE TABLE places (
    place INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER, seq INTEGER, kind TEXT, offset INTEGER
);
CREATE INDEX places_number ON places (number);
CREATE VIRTUAL TABLE texts USING fts5(text, content='', tokenize='unicode61');
"""

PARTS = ("tools", "errors", "tags", "verdicts", "authors", "places")
"""Tables whose rows belong to one recording."""

UNREAD = STREAMED | {"model_request"}
"""Types of events that the index does not need; their lines are not parsed."""

_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")


def spaced(text: str) -> str:
    """Put spaces around the characters of scripts without spaces, so that each is a word."""
    return text if text.isascii() else _UNSPACED.sub(r" \g<0> ", text)


def texts_of(kind: str, data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (kind, text) of everything in an event that a search finds."""
    match kind:
        case "user_message":
            yield "user", data["text"]
        case "model_response":
            if data["reasoning"]:
                yield "reasoning", data["reasoning"]
            if data["content"]:
                yield "content", data["content"]
            if data["calls"]:
                yield "call", calls_text(data["calls"])
        case "observation":
            yield "observation", data["text"]


def calls_text(calls: list[dict[str, Any]]) -> str:
    """Return calls as text, with their arguments as the model wrote them."""
    return "\n".join(f"{call['name']} {call['arguments']}" for call in calls)
