"""Turns as a GLM might generate them, of many kinds, with what is meant by each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from tests.sii_cli.model.ids.offline import Family, generated, vocabulary


@dataclass(frozen=True)
class GeneratedTurn:
    """One turn, and what a reader must find in it."""

    kind: str
    ids: list[int]
    reasoning: str = ""
    content: str = ""
    calls: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    """Names, with keys and values as they were written."""
    values: dict[str, Any] | None = None
    """The arguments of the last call, where they are more than the strings written."""
    flags: frozenset[str] = frozenset()
    runs: bool = True
    """Whether its calls may be run."""


Pair = tuple[str, str]


def call(family: Family, name: str, *pairs: Pair, close: bool = True) -> str:
    end = "</tool_call>" if close else ""
    if family == "GLM-4.5":
        inner = "".join(f"<arg_key>{k}</arg_key>\n<arg_value>{v}</arg_value>\n" for k, v in pairs)
        return f"\n<tool_call>{name}\n{inner}{end}"
    inner = "".join(f"<arg_key>{k}</arg_key><arg_value>{v}</arg_value>" for k, v in pairs)
    return f"<tool_call>{name}{inner}{end}"


def turn(
    family: Family, thought: str, content: str = "", *calls: str, stop: str | None = None
) -> str:
    if stop is None:
        stop = "<|observation|>" if calls else "<|user|>"
    if family == "GLM-4.5":
        lead = f"\n<think>{thought}</think>" + (f"\n{content}" if content else "")
    else:
        lead = f"{thought}</think>{content}"
    return lead + "".join(calls) + stop


WORDS = (
    *(
        "I look first.",
        "The test fails in parse().",
        "我先看看文件。",
        "Let me run it.",
        "A minus.",
    ),
    *("Two files: a.py, b.py.", "Now the tests again.", "Rename `x` to `y`."),
)
COMMANDS = (
    *("ls -la", "python3 -m pytest -q", "cat > a.py <<'EOF'\nprint(\"x\")\nEOF", "grep -rn 'f' ."),
    *("sed -n '1,20p' a.py", "git diff", 'echo "a\tb"', "find . -name '*.py'"),
)
NUMBERS = ("1.0", "1e5", "1.50", "-0", "1E3", "0.1e-3", "100000000000000000000.0", "12")
INTEGERS = (("030", 30), ("+1", 1), ("1_000", 1000), ("007", 7), (" 5", 5), ("5 ", 5), ("5\n", 5))
BOOLEANS = (("True", True), ("False", False), ("TRUE", True), ("None", None), (" true", True))
ESCAPES = ('["\\u00e9"]', '["\\u4e16"]', '["a\\/b"]', '["\\ud83c\\udf0d"]', '["\\t"]')
JSON = ('{"a":1}', '{"a":[1,2]}', '{ "a": 1 }', '{"a" : {"b":[]}}', '{\n  "a": 1\n}', "[ ]")
EDGES = ("\na", "a\n", "\na\n", "  a", "a  ", "\n", " ", "\t")
LETTERS = ("世界 🌍", "héllo → 😀", "👩‍👩‍👧 family", "𝔘𝔫𝔦", "é vs é", "🇨🇭", "\u200b zero", "日本")


def turns(family: Family, times: int = 8) -> Iterator[GeneratedTurn]:
    """Yield every kind, several times each, no two alike."""
    for number in range(times):
        place, again = number % len(WORDS), number // len(WORDS)
        more = f" {LETTERS[again % len(LETTERS)]} {again}" if again else ""
        thought, command = WORDS[place] + more, COMMANDS[(place + again) % len(COMMANDS)] + more
        yield from _spoken(family, thought, command, WORDS[-1 - place] + more)
        yield from _spaced(family, thought, command, WORDS[-1 - place] + more)
        yield from _values(family, thought, place)
        yield from _odd(family, thought, command)


def _content(family: Family, content: str, *, before_call: bool = False) -> str:
    """The content as it is read: line ends of the form are in it, as in a server's stream."""
    glm45 = family == "GLM-4.5"
    lead = "\n" if glm45 and content else ""
    return lead + content + ("\n" if glm45 and before_call else "")


def _made(family: Family, kind: str, text: str, **found: Any) -> GeneratedTurn:
    return GeneratedTurn(kind, generated(family, text), **found)


def _spoken(family: Family, thought: str, command: str, words: str) -> Iterator[GeneratedTurn]:
    """Turns with and without calls and content, as a model writes them mostly."""
    bash, bash_call = ("bash", [("command", command)]), call(family, "bash", ("command", command))
    reads = call(family, "read_file", ("path", "a.py"), ("offset", "3"))
    lead, answer = _content(family, "", before_call=True), _content(family, words)
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "thought and one call": (
            turn(family, thought, "", bash_call),
            {"content": lead, "calls": [bash]},
        ),
        "thought, content and a call": (
            turn(family, thought, words, bash_call),
            {"content": _content(family, words, before_call=True), "calls": [bash]},
        ),
        "answer": (turn(family, thought, words), {"content": answer}),
        "two calls": (
            turn(family, thought, "", bash_call, reads),
            {
                "content": lead * 2,
                "calls": [bash, ("read_file", [("path", "a.py"), ("offset", "3")])],
                "values": {"path": "a.py", "offset": 3},
            },
        ),
        "no arguments": (
            turn(family, thought, "", call(family, "odd")),
            {"content": lead, "calls": [("odd", [])], "values": {}},
        ),
        "unknown tool": (
            turn(family, thought, "", call(family, "no_such_tool", ("a", "b"))),
            {"content": lead, "calls": [("no_such_tool", [("a", "b")])]},
        ),
        "ended by the end of text": (
            turn(family, thought, words, stop="<|endoftext|>"),
            {"content": answer},
        ),
    }
    for kind, (text, found) in cases.items():
        yield _made(family, kind, text, reasoning=thought, **found)


def _spaced(family: Family, thought: str, command: str, words: str) -> Iterator[GeneratedTurn]:
    """Turns with white space that a template would not write, or without a thought."""
    bash, bash_call = ("bash", [("command", command)]), call(family, "bash", ("command", command))
    found = {"content": _content(family, "", before_call=True), "calls": [bash]}
    for kind, odd in (("after", thought + "\n"), ("before", "\n" + thought)):
        text = turn(family, odd, "", bash_call)
        yield _made(family, f"thought with a newline {kind}", text, reasoning=odd, **found)
    yield _made(family, "no thought", turn(family, "", "", bash_call), **found)
    for kind, odd in (
        *(("before", "\n" + words), ("after", words + "\n\n"), ("spaces", words + "  ")),
    ):
        yield _made(
            family,
            f"answer with space {kind}",
            turn(family, thought, odd),
            reasoning=thought,
            content=_content(family, odd),
        )


def _values(family: Family, thought: str, number: int) -> Iterator[GeneratedTurn]:
    def made(kind: str, key: str, written: str, value: Any) -> GeneratedTurn:
        return GeneratedTurn(
            kind,
            generated(family, turn(family, thought, "", call(family, "odd", (key, written)))),
            reasoning=thought,
            content=_content(family, "", before_call=True),
            calls=[("odd", [(key, written)])],
            values={key: value},
        )

    yield made("number as written", "x", NUMBERS[number], json.loads(NUMBERS[number]))
    written, value = INTEGERS[number % len(INTEGERS)]
    yield made("integer written otherwise", "n", written, value)
    word, truth = BOOLEANS[number % len(BOOLEANS)]
    yield made("boolean written otherwise", "flag", word, truth)
    escaped = ESCAPES[number % len(ESCAPES)]
    yield made("escapes", "list", escaped, json.loads(escaped))
    spaced = JSON[number % len(JSON)]
    yield made("JSON in any spacing", "obj", spaced, json.loads(spaced))
    yield made("space around a string", "text", EDGES[number], EDGES[number])
    yield made("letters of all kinds", "text", LETTERS[number], LETTERS[number])
    yield made("empty string", "text", "", "")
    yield made("number for a string", "text", "12", "12")
    yield made("JSON for a string", "text", '{"a":1}', '{"a":1}')
    yield made("quotes in a string", "text", "\"q\" \\ 'x'", "\"q\" \\ 'x'")
    yield made("untyped word", "any", "a", "a")
    yield made("untyped number", "any", "12", 12)
    edits = json.dumps([{"old": COMMANDS[number], "new": thought}], separators=(",", ":"))
    yield made("edits in compact JSON", "list", edits, json.loads(edits))


def _odd(family: Family, thought: str, command: str) -> Iterator[GeneratedTurn]:
    bash, bash_call = ("bash", [("command", command)]), call(family, "bash", ("command", command))
    lead = _content(family, "", before_call=True)

    def made(kind: str, ids: list[int], flags: set[str], **found: Any) -> GeneratedTurn:
        return GeneratedTurn(kind, ids, reasoning=thought, flags=frozenset(flags), **found)

    text = turn(family, thought, "", call(family, "odd", ("text", "a"), ("text", "b")))
    yield made(
        "key twice",
        generated(family, text),
        {"key_twice", "call_not_parsed"},
        content=lead,
        calls=[("odd", [("text", "a"), ("text", "b")])],
        runs=False,
    )
    between = "\nThen." if family == "GLM-4.5" else "Then."
    yield made(
        "text between calls",
        generated(family, turn(family, thought, "", bash_call, between, bash_call)),
        {"text_after_call"},
        content=lead + between + lead,
        calls=[bash, bash],
    )
    yield made(
        "text after calls",
        generated(family, turn(family, thought, "", bash_call, between)),
        {"text_after_call"},
        content=lead + between,
        calls=[bash],
    )
    open_call = call(family, "bash", ("command", command), close=False)
    yield made(
        "a call without its end",
        generated(family, turn(family, thought, "", open_call)),
        {"call_unterminated", "call_not_parsed"},
        content=lead,
        calls=[bash],
        runs=False,
    )
    spoken = "echo '<arg_value>x</arg_value>' > a"
    yield made(
        "control tokens within a value",
        generated(family, turn(family, thought, "", call(family, "bash", ("command", spoken)))),
        {"control_in_text"},
        content=lead,
        calls=[("bash", [("command", spoken)])],
    )
    yield made(
        "control tokens spelled within a value",
        _spelled(family, turn(family, thought, "", call(family, "bash", ("command", "\0")))),
        set(),
        content=lead,
        calls=[("bash", [("command", spoken)])],
    )
    yield made(
        "tokens split otherwise",
        _letter_by_letter(family, turn(family, thought, "", bash_call)),
        set(),
        content=lead,
        calls=[bash],
    )
    yield made(
        "cut off in the answer",
        generated(family, turn(family, thought, "Done", stop="")),
        set(),
        content=_content(family, "Done"),
    )


def _spelled(family: Family, text: str) -> list[int]:
    """A turn in whose value control tokens are spelled in plain tokens."""
    own = vocabulary(family)
    before, after = text.split("\0")
    value = own.encode("echo '<arg_value>x</arg_value>' > a")
    return [*generated(family, before), *value, *generated(family, after)]


def _letter_by_letter(family: Family, text: str) -> list[int]:
    own = vocabulary(family)
    return [
        token
        for piece in own.pieces(text)
        for token in ([piece] if isinstance(piece, int) else chain(*map(own.encode, piece)))
    ]
