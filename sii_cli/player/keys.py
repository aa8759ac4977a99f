"""The keys of the player."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

from recordings.storage.line_index import CALL, ERROR, USER

HELP = (
    "q quit · space play · n p step · c e u call, error, user (C E U back) · o open · 0-9 seek · "
    "+ - pace · ↑ ↓"
)
"""The most important first: a narrow window cuts the rest off."""
_JUMPS = {"c": CALL, "e": ERROR, "u": USER}


class PlayerActions(Protocol):
    """What keys can ask for."""

    def when_ready(self, action: Callable[[], None]) -> None:
        """Carry out what a key asks for, now or as soon as the player is there."""
        ...

    def toggle_play(self) -> None:
        """Play, or stop where it is."""
        ...

    def faster(self, times: int) -> None:
        """Change the pace."""
        ...

    def step(self, *, back: bool = False) -> None:
        """Show the next thing that happened, or take the last one back."""
        ...

    def jump(self, mark: int, *, back: bool = False) -> None:
        """Go to the next event with a mark, or back."""
        ...

    def seek(self, part: float) -> None:
        """Go to a part (0 to 1) of the time."""
        ...

    def toggle_fold(self) -> None:
        """Open the last folded output on the screen, or fold it again."""
        ...

    def scroll(self, pages: float = 0.0, rows: int = 0) -> None:
        """Move over what is there already."""
        ...

    def leave(self) -> None:
        """End the player."""
        ...


def make_keys(actions: PlayerActions) -> KeyBindings:
    """Return the bindings."""
    keys = KeyBindings()

    def bind(action: Callable[[], None], *names: str) -> None:
        def handle(_: KeyPressEvent) -> None:
            actions.when_ready(action)

        for name in names:
            keys.add(name)(handle)

    bind(actions.toggle_play, "space")
    bind(partial(actions.faster, 1), "+", "=")
    bind(partial(actions.faster, -1), "-")
    bind(actions.step, "n", "right")
    bind(partial(actions.step, back=True), "p", "left")
    for key, mark in _JUMPS.items():
        bind(partial(actions.jump, mark), key)
        bind(partial(actions.jump, mark, back=True), key.upper())
    for tenth in range(10):
        bind(partial(actions.seek, tenth / 10), str(tenth))
    bind(partial(actions.seek, 0.0), "home", "g")
    bind(partial(actions.seek, 1.0), "end", "G")
    bind(actions.toggle_fold, "o", "enter")
    bind(partial(actions.scroll, rows=-1), "up")
    bind(partial(actions.scroll, rows=1), "down")
    bind(partial(actions.scroll, -1), "pageup")
    bind(partial(actions.scroll, 1), "pagedown")

    @keys.add("q")
    @keys.add("c-c")
    @keys.add("c-d")
    @keys.add("<sigint>")
    def _(_: KeyPressEvent) -> None:
        actions.leave()

    return keys
