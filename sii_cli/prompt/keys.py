"""The keys of the prompt; `app.py` does what they ask for. Editing keys are those of emacs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import (
    Condition,
    completion_is_selected,
    emacs_insert_mode,
    vi_insert_mode,
)
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys

from sii_cli.prompt.completion import completes
from sii_cli.prompt.permission_dialog import CHOICES, Choice
from sii_cli.prompt.terminal import give_up_paste


class KeyActions(Protocol):
    """What keys can ask for."""

    @property
    def busy(self) -> bool:
        """Whether a round is running."""
        ...

    @property
    def typing(self) -> bool:
        """Whether the input line has the focus, and not a search of the history."""
        ...

    @property
    def empty(self) -> bool:
        """Whether the input line is empty."""
        ...

    @property
    def asking(self) -> bool:
        """Whether a question waits for a key."""
        ...

    def answer(self, key: str) -> bool:
        """Answer the question with a key; return whether the key was meant for it."""
        ...

    def submit(self) -> None:
        """Send the input."""
        ...

    def submit_later(self) -> None:
        """Queue the input for after the running round."""
        ...

    def take_back(self) -> None:
        """Take what was sent last and still waits back into the line."""
        ...

    def go_back(self) -> None:
        """Go back to before one of the user's messages, when asked twice."""
        ...

    def interrupt(self) -> None:
        """Interrupt the running round."""
        ...

    def cancel(self) -> None:
        """Clear the input, or leave when asked twice."""
        ...

    def exit(self) -> None:
        """Leave as `/exit` does."""
        ...

    @property
    def asked(self) -> bool:
        """Whether a question waits whose keys are meant for it by now."""
        ...

    @property
    def gives_reason(self) -> bool:
        """Whether the line takes the reason of a refusal."""
        ...

    def type_digit(self, choice: Choice) -> None:
        """Put a digit on the line, which answers the question when it stays alone."""
        ...

    def choose(self, choice: Choice) -> None:
        """Answer the question."""
        ...

    def give_up_reason(self) -> None:
        """Return from the reason to the question."""
        ...

    def next_mode(self) -> None:
        """Change to the next mode of permissions."""
        ...

    def paste(self, text: str) -> None:
        """Put a paste on the input line."""
        ...


class LookActions(Protocol):
    """What keys can ask for that changes the look alone."""

    def turn_panel(self) -> None:
        """Show the panel's next tab."""
        ...

    def open_folded(self) -> None:
        """Show what is folded."""
        ...

    def edit_line(self) -> None:
        """Open the input line in an editor."""
        ...

    def suspend(self) -> None:
        """Stop the program until it is continued."""
        ...


def _add_look_keys(keys: KeyBindings, looks: LookActions, typing: Condition) -> None:
    """Bind what changes the look alone."""
    actions = {
        "c-t": looks.turn_panel,
        "c-o": looks.open_folded,
        "c-g": looks.edit_line,
        "c-z": looks.suspend,
    }

    def bind(key: str, action: Callable[[], None]) -> None:
        @keys.add(key, filter=typing)
        def _(event: KeyPressEvent) -> None:
            action()

    for key, action in actions.items():
        bind(key, action)


def _add_permission_keys(keys: KeyBindings, actions: KeyActions, typing: Condition) -> None:
    """Bind the answers: digits on an empty line, and with Alt at any time."""
    asked = Condition(lambda: actions.asked)
    empty = Condition(lambda: actions.empty)

    def bind(choice: Choice) -> None:
        @keys.add(choice, filter=typing & asked & empty)
        def _(event: KeyPressEvent) -> None:
            actions.type_digit(choice)

        @keys.add("escape", choice, filter=typing & asked)
        def _(event: KeyPressEvent) -> None:
            actions.choose(choice)

    for choice in CHOICES:
        bind(choice)

    @keys.add("escape", filter=typing & Condition(lambda: actions.gives_reason))
    def _(event: KeyPressEvent) -> None:
        actions.give_up_reason()

    @keys.add("s-tab", filter=typing)
    def _(event: KeyPressEvent) -> None:
        actions.next_mode()


def _add_line_keys(keys: KeyBindings, actions: KeyActions, typing: Condition) -> None:
    """Bind what edits the line, and what sends it at rest."""

    @keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        actions.submit()

    @keys.add("enter", filter=typing & completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None
        if event.current_buffer.text.startswith("/"):
            actions.submit()

    @keys.add("backspace", filter=typing & (emacs_insert_mode | vi_insert_mode))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.delete_before_cursor(event.arg)
        if completes(event.current_buffer.document):
            event.current_buffer.start_completion()

    @keys.add("c-j", filter=typing)
    @keys.add("escape", "enter", filter=typing & Condition(lambda: not actions.busy))
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add(Keys.BracketedPaste, filter=typing)
    def _(event: KeyPressEvent) -> None:
        actions.paste(event.data)


def _add_round_keys(keys: KeyBindings, actions: KeyActions, typing: Condition) -> None:
    """Bind what steers and interrupts a round, and goes back to before one."""
    busy = Condition(lambda: actions.busy)
    reason = Condition(lambda: actions.gives_reason)
    empty = Condition(lambda: actions.empty)

    @keys.add("escape", "enter", filter=typing & busy)
    def _(event: KeyPressEvent) -> None:
        actions.submit_later()

    # Not the sequence of two keys: nobody types these within the few ms that make a sequence.
    @keys.add("escape", filter=typing & empty & ~busy & ~reason)
    def _(event: KeyPressEvent) -> None:
        if event.app.editing_mode is EditingMode.VI:
            event.app.vi_state.input_mode = InputMode.NAVIGATION
        actions.go_back()

    @keys.add("escape", "up", filter=typing)
    def _(event: KeyPressEvent) -> None:
        actions.take_back()

    @keys.add("escape", filter=typing & busy & ~reason)
    def _(event: KeyPressEvent) -> None:
        actions.interrupt()


def _add_leaving_keys(keys: KeyBindings, actions: KeyActions, typing: Condition) -> None:
    """Bind Ctrl-C, also as a signal, and Ctrl-D."""

    @keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        give_up_paste(event.app.input)
        event.key_processor.feed(KeyPress(Keys.ControlC), first=True)

    @keys.add("c-c", filter=typing)
    def _(event: KeyPressEvent) -> None:
        if actions.gives_reason:
            actions.give_up_reason()
        elif actions.busy:
            actions.interrupt()
        else:
            actions.cancel()

    @keys.add("c-d", filter=typing & Condition(lambda: actions.empty))
    def _(event: KeyPressEvent) -> None:
        actions.exit()


def _add_answer_keys(keys: KeyBindings, actions: KeyActions) -> None:
    """Give every key to a question that waits for one."""

    @keys.add(Keys.Any, filter=Condition(lambda: actions.asking), eager=True)
    def _(event: KeyPressEvent) -> None:
        key = event.key_sequence[0].key
        if not actions.answer(key.value if isinstance(key, Keys) else key):
            event.key_processor.feed(event.key_sequence[0], first=True)


def make_keys(actions: KeyActions, looks: LookActions) -> KeyBindings:
    """Return the bindings; of those that fit, the last one is called."""
    keys = KeyBindings()
    typing = Condition(lambda: actions.typing)
    _add_answer_keys(keys, actions)
    _add_line_keys(keys, actions, typing)
    _add_permission_keys(keys, actions, typing)
    _add_look_keys(keys, looks, typing)
    _add_round_keys(keys, actions, typing)
    _add_leaving_keys(keys, actions, typing)
    return keys
