"""The keys of the inbox: those of a review for reading, and an input line for the reply."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from prompt_toolkit.filters import Always, Condition, Filter
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from sii_cli.review.keys import READING, READING_KEYS

if TYPE_CHECKING:
    from sii_cli.review.reviewing import Reviewing

HELP = "? keys · r reply · / done · . skip · d diff · j k step · e error · q leave · o open"
TYPING = "Enter sends · Ctrl-J a new line · /done · /done no · /skip · Esc reads on"
LEAVING = "w wait · l leave, continued later · Esc stay"
KEYS = f"""\
The session
{READING_KEYS}\
  o               open what is folded, or fold it again

Your reply
  r               write a reply: Enter sends it, Ctrl-J is a new line, Esc reads on
  /done           the task is done; /done no: it is not; words may follow
  .               skip: it goes to the end of your inbox
  q               leave; what you were writing is kept\
"""


class InboxKeys(Protocol):
    """What keys can ask for."""

    @property
    def ready(self) -> Reviewing | None:
        """The session that keys act on, or `None` before it was seen."""
        ...

    @property
    def is_typing(self) -> bool:
        """Whether the input line has the keys."""
        ...

    @property
    def is_leaving(self) -> bool:
        """Whether the question is asked how to leave."""
        ...

    def scroll(self, rows: int = 0, pages: float = 0.0) -> None:
        """Scroll what is beside the outline."""
        ...

    def toggle_folds(self) -> None:
        """Open what is folded, or fold it again."""
        ...

    def toggle_outline(self) -> None:
        """Show the outline instead, in a narrow window."""
        ...

    def type(self, text: str = "") -> None:
        """Give the keys to the input line."""
        ...

    def read_on(self) -> None:
        """Take the keys from the input line; what is typed stays."""
        ...

    def send(self) -> None:
        """Send what is typed."""
        ...

    def new_line(self) -> None:
        """Begin another line of the reply."""
        ...

    def skip(self) -> None:
        """Put the session at the end of the inbox."""
        ...

    def leave(self, how: str = "") -> None:
        """Leave; `how` answers the question."""
        ...

    def act(self, act: Callable[[], None]) -> None:
        """Do what a key asks for, and have the screen drawn again."""
        ...


def make_inbox_keys(inbox: InboxKeys) -> KeyBindings:
    """Return the bindings."""
    keys = KeyBindings()
    is_typing = Condition(lambda: inbox.is_typing)
    is_leaving = Condition(lambda: inbox.is_leaving)
    is_reading = ~is_typing & ~is_leaving

    def bind(name: str, act: Callable[[], None], when: Filter) -> None:
        @keys.add(name, filter=when)
        def _(_: KeyPressEvent) -> None:
            inbox.act(act)

    def on_session(act: Callable[[Reviewing], None]) -> None:
        if (reviewing := inbox.ready) is not None:
            reviewing.key_pressed()
            act(reviewing)

    for name, act in READING.items():
        bind(name, partial(on_session, act), is_reading)
    on_screen: dict[str, Callable[[], None]] = {
        "o": inbox.toggle_folds,
        "l": inbox.toggle_outline,
        ".": inbox.skip,
        "down": partial(inbox.scroll, 1),
        "up": partial(inbox.scroll, -1),
        **dict.fromkeys(("space", "pagedown"), partial(inbox.scroll, pages=1.0)),
        **dict.fromkeys(("b", "pageup"), partial(inbox.scroll, pages=-1.0)),
        **dict.fromkeys(("r", "i"), inbox.type),
        "/": partial(inbox.type, "/"),
        **dict.fromkeys(("q", "c-c", "c-d"), inbox.leave),
    }
    for name, on in on_screen.items():
        bind(name, on, is_reading)
    bind("enter", inbox.send, is_typing)
    bind("c-j", inbox.new_line, is_typing)
    keys.add("escape", "enter", filter=is_typing)(lambda _: inbox.new_line())
    for name in ("escape", "c-c"):
        bind(name, inbox.read_on, is_typing)
    for name in ("w", "l", "escape"):
        bind(name, partial(inbox.leave, name), is_leaving)
    for name in ("c-c", "q"):
        bind(name, partial(inbox.leave, "l"), is_leaving)
    bind("<sigint>", lambda: inbox.leave("l" if inbox.is_leaving else ""), Always())
    return keys
