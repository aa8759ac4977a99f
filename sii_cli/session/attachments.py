"""Files that a message attaches: `@@path`, or a part of one, `@@path#20-45`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from recordings.events import AttachedFile
from recordings.storage.opening import UnexpectedFile, read_file
from sii_cli.errors import UsageError
from sii_cli.text.sanitise import one_line

_NAMED = re.compile(
    r'(?<!\S)@@(?:"(?P<quoted>[^"\n]{1,4096})"|(?P<path>[^\s@#"]{1,4096}))'
    r"(?:#(?P<first>\d{1,9})(?:-(?P<last>\d{1,9}))?)?"
)
MOST_FILES = 20
"""Files of one message."""
_LARGEST = 8 << 20
"""Bytes of a file that is read."""
MOST = 60_000
"""Characters that are attached of one file."""
_TEXT = "The human attached {path}{lines}:\n\n{content}"


def attached_files(text: str, workspace: Path) -> list[AttachedFile]:
    """Return the files that a message attaches, in order. Raises `UsageError`."""
    found = list(_NAMED.finditer(text))
    if len(found) > MOST_FILES:
        raise UsageError(f"A message attaches at most {MOST_FILES} files: name the others with @.")
    return [_attached(match, workspace) for match in found]


def _attached(match: re.Match[str], workspace: Path) -> AttachedFile:
    path = match["quoted"] or match["path"]
    data = _read(path, workspace)
    try:
        content = data.decode()
    except UnicodeDecodeError:
        raise UsageError(f"{one_line(path, 200)} is not text: name it with @ alone.") from None
    lines = None
    if match["first"]:
        lines = int(match["first"]), int(match["last"] or match["first"])
        content = "\n".join(content.split("\n")[max(0, lines[0] - 1) : lines[1]])
    if not content:
        raise UsageError(f"{one_line(path, 200)} has nothing there to attach.")
    if len(content) > MOST:
        raise UsageError(
            f"{one_line(path, 200)} has more than {MOST:,} characters: attach lines of it "
            "(@@path#20-45), or name it with @ alone."
        )
    about = f", lines {lines[0]} to {lines[1]}" if lines else ""
    return AttachedFile(
        path=path,
        lines=lines,
        sha256=hashlib.sha256(data).hexdigest(),
        text=_TEXT.format(path=path, lines=about, content=content),
    )


def _read(path: str, workspace: Path) -> bytes:
    """Read a file of the workspace, through no link. Raises `UsageError`."""
    parts = PurePosixPath(path).parts
    shown = one_line(path, 200)
    if not parts or "\0" in path:
        raise UsageError(f"{shown} is not the name of a file: name a file to attach.")
    if PurePosixPath(path).is_absolute() or ".." in parts:
        raise UsageError(f"{shown} is outside of the workspace: copy it there to attach it.")
    try:
        return read_file(workspace, *parts, most=_LARGEST)
    except UnexpectedFile as error:
        raise UsageError(f"{shown} cannot be attached: {error}.") from None
    except OSError as error:
        raise UsageError(f"{shown} cannot be attached: {error.strerror or error}.") from None
