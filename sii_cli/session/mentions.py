"""What of the workspace a message names with `@`: the paths, and the hashes of their contents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from recordings.events import Mention
from recordings.storage.opening import UnexpectedFile, read_file

_NAMED = re.compile(r'(?<!\S)@(?:"(?P<quoted>[^"\n]{1,4096})"|(?P<path>[^\s@"]{1,4096}))')
_MOST = 20
"""Mentions of one message."""
_LARGEST = 1 << 20
"""Bytes of a file whose hash is taken."""
_AFTER = ".,;:!?)]}'"
"""Characters of the sentence that may follow a path."""


def mentions_of(text: str, workspace: Path) -> list[Mention]:
    """Return what a message names that is in the workspace, in order, each once."""
    named = (match["quoted"] or match["path"] for match in islice(_NAMED.finditer(text), _MOST))
    found = (mention for path in named for mention in _mention(path, workspace))
    return list({mention.path: mention for mention in found}.values())


def _mention(path: str, workspace: Path) -> Iterator[Mention]:
    """Yield the mention of a path, or of it without what the sentence adds; nothing elsewhere."""
    for name in dict.fromkeys((path, path.partition("#")[0], path.rstrip(_AFTER))):
        parts = PurePosixPath(name).parts
        if not parts or "\0" in name or ".." in parts or PurePosixPath(name).is_absolute():
            continue
        try:
            data = read_file(workspace, *parts, most=_LARGEST)
        except (UnexpectedFile, IsADirectoryError):
            yield Mention(path=name)  # a folder, a link, or too large
        except (OSError, ValueError):
            continue
        else:
            yield Mention(path=name, sha256=hashlib.sha256(data).hexdigest())
        return
