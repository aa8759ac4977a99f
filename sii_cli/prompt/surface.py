"""What the sessions of a prompt are shown on: the bottom of a terminal, or lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from prompt_toolkit.data_structures import Size
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from sii_cli.agent.event_channel import Item
    from sii_cli.agent.permissions import CallQuestion, HumanAnswer


class AskInTime(Protocol):
    """Asks a question that one key answers, for so many seconds."""

    async def __call__(self, text: str, keys: str, seconds: int) -> str | None:
        """Return the key, or `None` when the question is skipped or the time is over."""
        ...


class CallDialog(Protocol):
    """Asks the human whether a call may run."""

    async def ask(self, question: CallQuestion) -> HumanAnswer:
        """Show a question, and return what the human answers."""
        ...


class SessionRenderer(Protocol):
    """Draws what happens in a session, and what sii says of it."""

    def feed(self, item: Item) -> None:
        """Draw one item."""
        ...

    def finish(self) -> None:
        """Draw what is still growing, for good."""
        ...

    def say(self, lines: Sequence[str], style: str) -> None:
        """Print lines of sii."""
        ...

    def say_rows(self, rows: Iterable[tuple[str, str]]) -> None:
        """Print rows of a name and a text."""
        ...


class PromptSurface(Protocol):
    """What a session at the prompt is shown on. `refresh` after a change of its attributes."""

    running: str
    """What runs now."""
    status: StyleAndTextTuples
    panel: Callable[[int], Sequence[str]]
    """Returns the rows of the panel, for so many columns."""

    @property
    def size(self) -> Size:
        """Of the terminal."""
        ...

    @property
    def dialog(self) -> CallDialog:
        """Asks whether calls may run."""
        ...

    @property
    def is_typing(self) -> bool:
        """Whether the user has begun to type something."""
        ...

    def make_renderer(self, *, fold_thoughts: bool) -> SessionRenderer:
        """Return what draws sessions here."""
        ...

    def lent(self) -> AbstractAsyncContextManager[None]:
        """Leave the terminal to another program, or to questions in lines, meanwhile."""
        ...

    def take_above(self) -> str:
        """Return the lines that were not printed yet."""
        ...

    def refresh(self) -> None:
        """Draw again, soon."""
        ...

    def panel_turned(self) -> None:
        """Show the panel, which the user turned."""
        ...

    def copy(self, text: str) -> None:
        """Put a text on the terminal's clipboard. Raises `NotDone` where there is none."""
        ...

    def alert(self, said: str) -> None:
        """Ring, and show a notice where the terminal can."""
        ...

    def edit_as(self, editor: Literal["emacs", "vi"]) -> None:
        """Edit the line with the keys of one of these."""
        ...
