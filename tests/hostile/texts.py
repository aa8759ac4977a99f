"""Texts that make careless code slow: each a function from a length to a text about as long."""

from __future__ import annotations

from collections.abc import Callable

Text = Callable[[int], str]

_REPEATED = (
    *("a", " ", "\n", "\r", "\t", "0", ".", "-", "%", "_", "\\", '"', "'", "`", "|", "&", "#", "~"),
    *("é", "漢", "\u0301", "\u200b", "\u2060", "\ud800", "\x00", "\x07", "\x1b", "\x9c", "\x9d"),
    *("a\n", "\n\r\n", "\r\r\n", "a ", " \n", "\t\n", "ab\nba\n", "x\n\n", "a\r", "\x08a", "\\n"),
    *("\x1b]", "\x1b[", "\x1b[0", "\x1bP", "\x1b(", "\x9b0", "\xc2\x9d", "\x1b[31m", "\x1b[G"),
    *("<arg_key>", "</arg_key>", "<arg_value>", "<arg_key>a</arg_key>", "<tool_call>", "<think>"),
    *("</think>", "<|user|>", "<|user|\u2060>", "<|", "<|user", "</tool_call>", "<tool_call>a"),
    *("eyJ", "eyJabcdefghijk.", "eyJabcdefghijk.eyJabcdefghijk.", "AKIAABCDEFGHIJKLMNOP ", "ghp_"),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "-----END ", "github_pat_", "xoxb-", "hf_"),
    *(
        "://a:",
        "://a:bbbbbbb",
        "password=",
        "password=aA1bB2cC3dD4 ",
        "key: ",
        "sk-",
        "earer ",
        "=",
    ),
    *("[", "]", "(", "{", "}", "[a](", "![", "![[]()", "[[", "*", "**a ", "*a_ ", "_a", "``", "<"),
    *("> ", "- ", "1. ", "|a", "|a|\n|-|\n", "```\n", "~~~ a\n", "# a\n", "<!--", "<a ", "a@b.c "),
    *(
        '{"a":',
        '["',
        '{"a":1,',
        "1,",
        "1e",
        "data: ",
        "data: x\n",
        ": x\n",
        "http://a.b/",
        "%%% a\n",
    ),
    *("\\(", "\\[", "$", "**", "__", "~~", "[^1]", "[a]: b\n", "&#", "&amp;", "a\\\n", "  a\n"),
    *('"""', "'''", "f'{", "/*", "//", "${", "<%", "\\x", "@a\n", "def a(", "lambda ", "0x", "1_"),
)


def _repeat(token: str) -> Text:
    return lambda size: token * (size // len(token))


def _both(first: str, last: str) -> Text:
    """Openers, then as many closers."""
    return lambda size: first * (size // len(first) // 2) + last * (size // len(last) // 2)


TEXTS: dict[str, Text] = {
    **{f"{token!r} repeated": _repeat(token) for token in _REPEATED},
    "nested brackets": _both("[", "]"),
    "nested links": _both("[", "](a)"),
    "nested emphasis": _both("*a **a ", "b** b*"),
    "nested JSON": _both('{"a":', "}"),
    "nested lists": _both("[", "]"),
    "nested quotes": lambda size: "".join("> " * (i % 200) + "a\n" for i in range(size // 200)),
    "nested items": lambda size: "".join("  " * (i % 200) + "- a\n" for i in range(size // 200)),
    "growing backticks": lambda size: "".join("`" * i + "a" for i in range(int((2 * size) ** 0.5))),
    "one CR and a long line": lambda size: "\r" + "a" * size,
    "a long line and CRs": lambda size: "a" * (size // 2) + "\r" * (size // 2) + "b",
    "a long line of words": lambda size: "word " * (size // 5),
    "equal lines": lambda size: "equal\n" * (size // 6),
    "mixed newlines": lambda size: "a\r\n" + "\n" * size,
    "a number of many digits": lambda size: "9" * size,
    "an unclosed string": lambda size: '{"a": "' + "\\" * size,
    "a key and an END without end": lambda size: (
        "-----BEGIN PRIVATE KEY-----" * (size // 54) + "-----END " + "A" * (size // 2)
    ),
    "different lines": lambda size: "".join(f"{i:x}\n" for i in range(size // 6)),
    "a wide table": lambda size: (
        "|" + "a|" * (size // 6) + "\n|" + "-|" * (size // 6) + "\n|" + "b|" * (size // 6)
    ),
    "a long table": lambda size: "|a|b|\n|-|-|\n" + "|a|b|\n" * (size // 6),
}
