"""The keys of a review in the terminal. Enter sends nothing, and no key acts on an unread item."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from sii_cli.review.words import JUMPS

if TYPE_CHECKING:
    from sii_cli.review.reviewing import Reviewing

HELP = (
    "? keys · j k step · e error · d diff · a r w verdict · y send · q leave · u c user, call · "
    "f flag · m comment · o open · . later"
)
"""The most important first: a narrow window cuts the rest off."""
READING_KEYS = """\
  j k             the next step, the one before
  ↓ ↑ space b     scroll
  [ ]             the round before, the next round
  u e c           the next message of the user, error, call (U E C back)
  p               the next place that the first screen names (P back)
  d D             the whole diff; the diff of this step
  g G             the first screen; the end
  l               the outline, where the window is narrow
"""
"""What moves around an item, whatever is to be said of it."""
KEYS = f"""\
The recording
{READING_KEYS}\
  o Enter         open what is folded, or fold it again
  N               the whole, where only what is new to you is shown
  i               the guideline

What you say of a step
  f and a digit   a flag, or a mark: good, neutral, bad
  m               a comment
  x               exclude it from training
  s               it went wrong here: send the session back with your words

What you say of the recording
  0-9             answer the question in focus
  Tab             the next question (Shift-Tab back)
  =               answer it in words
  M               a note
  a r w           arm a verdict: approve, reject, needs work
  y               send what is armed
  z               take back what you said last
  .               later: it goes to the end of your queue
  q               leave; your draft is kept\
"""


class ReviewScreen(Protocol):
    """What keys can ask for."""

    @property
    def ready(self) -> Reviewing | None:
        """The item that keys act on, or `None` before it was seen."""
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

    def send(self) -> None:
        """Send what was said."""
        ...

    def defer(self) -> None:
        """Leave the item for later."""
        ...

    def leave(self) -> None:
        """End the review; the draft is kept."""
        ...

    def act(self, act: Callable[[], None]) -> None:
        """Do what a key asks for, and have the screen drawn again."""
        ...


def _jump(mark: int, *, back: bool) -> Callable[[Reviewing], None]:
    return lambda one: one.jump(mark, back=back)


READING: dict[str, Callable[[Reviewing], None]] = {
    "j": lambda one: one.move(1),
    "right": lambda one: one.move(1),
    "k": lambda one: one.move(-1),
    "left": lambda one: one.move(-1),
    "]": lambda one: one.round(),
    "[": lambda one: one.round(back=True),
    "p": lambda one: one.place(),
    "P": lambda one: one.place(back=True),
    "d": lambda one: one.look_at("diff"),
    "D": lambda one: one.look_at("step diff"),
    "?": lambda one: one.look_at("keys"),
    "g": lambda one: one.show(-1),
    "home": lambda one: one.show(-1),
    "G": lambda one: one.show(len(one.item.outline) - 1),
    "end": lambda one: one.show(len(one.item.outline) - 1),
    **{key: _jump(mark, back=False) for key, mark in JUMPS.items()},
    **{key.upper(): _jump(mark, back=True) for key, mark in JUMPS.items()},
}
"""Keys that move around an item, whatever is to be said of it."""
_ON_ITEM: dict[str, Callable[[Reviewing], None]] = {
    **READING,
    "i": lambda one: one.look_at("guideline"),
    "N": lambda one: one.show_whole(),
    "f": lambda one: one.flag(),
    "x": lambda one: one.exclude(),
    "m": lambda one: one.type("comment"),
    "M": lambda one: one.type("note"),
    "s": lambda one: one.type("send back"),
    "=": lambda one: one.type("answer"),
    "a": lambda one: one.arm("approve"),
    "r": lambda one: one.arm("reject"),
    "w": lambda one: one.arm("needs_work"),
    "z": lambda one: one.undo(),
    "tab": lambda one: one.focus_on(1),
    "s-tab": lambda one: one.focus_on(-1),
}


def make_keys(screen: ReviewScreen) -> KeyBindings:
    """Return the bindings; while a text is typed only those of typing act."""
    keys = KeyBindings()

    @Condition
    def is_reading() -> bool:
        return screen.ready is None or screen.ready.draft.typed is None

    def bind(name: str, act: Callable[[Reviewing], None]) -> None:
        @keys.add(name, filter=is_reading)
        def _(_: KeyPressEvent) -> None:
            if (reviewing := screen.ready) is not None:
                reviewing.key_pressed(is_send=name == "y")
                screen.act(partial(act, reviewing))
                reviewing.flagging = reviewing.flagging and name == "f"

    for name, act in _ON_ITEM.items():
        bind(name, act)
    for digit in range(10):
        bind(str(digit), _digit(digit))
    on_screen: dict[str, Callable[[], None]] = {
        **dict.fromkeys(("o", "enter"), screen.toggle_folds),
        "l": screen.toggle_outline,
        "y": screen.send,
        ".": screen.defer,
        "down": partial(screen.scroll, 1),
        "up": partial(screen.scroll, -1),
        **dict.fromkeys(("space", "pagedown"), partial(screen.scroll, pages=1.0)),
        **dict.fromkeys(("b", "pageup"), partial(screen.scroll, pages=-1.0)),
    }
    for name, on in on_screen.items():
        bind(name, _ignoring_item(on))
    _bind_leaving(keys, screen, is_reading)
    return keys


def _digit(digit: int) -> Callable[[Reviewing], None]:
    return lambda one: one.digit(digit)


def _ignoring_item(act: Callable[[], None]) -> Callable[[Reviewing], None]:
    return lambda _: act()


def _bind_leaving(keys: KeyBindings, screen: ReviewScreen, is_reading: Condition) -> None:
    @keys.add("q", filter=is_reading)
    @keys.add("c-c", filter=is_reading)
    @keys.add("c-d", filter=is_reading)
    @keys.add("<sigint>")
    def _(_: KeyPressEvent) -> None:
        screen.leave()

    @keys.add("escape", filter=~is_reading)
    @keys.add("c-c", filter=~is_reading)
    def _(_: KeyPressEvent) -> None:
        if (reviewing := screen.ready) is not None:
            reviewing.key_pressed()
            screen.act(reviewing.stop_typing)
