"""What the line may become: commands after `/`, files of the workspace after `@`."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterator

from prompt_toolkit.completion import (
    CompleteEvent,
    Completer,
    Completion,
    ThreadedCompleter,
    merge_completers,
)
from prompt_toolkit.document import Document

from sii_cli.prompt.files import FileList
from sii_cli.prompt.slash import SlashCommands

MOST = 30
"""Files that are offered."""
_MENTION = re.compile(r"(?:^|(?<=\s))@{1,2}([^\s@#]*)\Z")
_LONGEST = 300
"""Characters before the cursor that are looked at."""
OUTSIDE = "is outside of the workspace", "The model cannot read it: copy it there to name it."
ODD = "has a character that cannot be typed", "Rename it to name it here."


class SlashCompleter(Completer):
    """Completes commands while a line has nothing else."""

    def __init__(self, commands: SlashCommands) -> None:
        self._commands = commands

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield the commands that the line may become."""
        text = document.text
        if not text.startswith("/") or not document.is_cursor_at_the_end:
            return
        for name, command in self._commands.beginning_with(text):
            yield Completion(name, start_position=-len(text), display_meta=command.help)


class FileCompleter(Completer):
    """Completes files and folders of the workspace after `@` or `@@`."""

    def __init__(self, files: FileList) -> None:
        self._files = files

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterator[Completion]:
        """Yield the paths that fit what is typed; a line that inserts nothing says what cannot be
        named.
        """
        words = mention_before(document.text_before_cursor)
        if words is None:
            return
        if words.startswith(("/", "~", "../")):
            yield from _reason(words, OUTSIDE)
            return
        for path in self._files.find(words, MOST):
            if path.isprintable() and not re.search(r"[\s@#]", path):
                yield Completion(path, start_position=-len(words))
            elif path.isprintable() and not re.search(r"[\"@#]", path):
                yield Completion(f'"{path}"', start_position=-len(words), display=path)
            else:
                yield from _reason(f"{path!a}", ODD)


def _reason(path: str, why: tuple[str, str]) -> Iterator[Completion]:
    """Yield two rows that insert nothing: a single one would be left out."""
    said, remedy = why
    yield Completion("", display=f"{path} {said}")
    yield Completion("", display=remedy)


class _InThread(ThreadedCompleter):
    """Completes in a thread where there is something to complete, and not at every key."""

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """Yield what the completer does."""
        if mention_before(document.text_before_cursor) is not None:
            async for completion in super().get_completions_async(document, complete_event):
                yield completion


def mention_before(text: str) -> str | None:
    """Return what is typed of a path after `@`, or `None`."""
    match = _MENTION.search(text[-_LONGEST:])
    return match[1] if match else None


def completes(document: Document) -> bool:
    """Return whether the line has something to complete at the cursor."""
    return document.text.startswith("/") or mention_before(document.text_before_cursor) is not None


def make_completer(commands: SlashCommands, files: FileList) -> Completer:
    """Return the completer of the prompt. Files are looked for in a thread."""
    return merge_completers([SlashCompleter(commands), _InThread(FileCompleter(files))])
