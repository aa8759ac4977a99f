"""Edits: exact, all or nothing, the rest of the file untouched; a miss is diagnosed."""

from __future__ import annotations

import asyncio
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.protocol import FileData
from tests.tools.workspace import Workspace, new_workspace
from tools.base import ToolError
from tools.nearest import diagnose_miss

CODE = """def add(a, b):
    return a - b


def sub(a, b):
    return a - b


print(add(1, 2))
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def edit(old: str, new: str, replace_all: bool = False) -> dict[str, Any]:
    return {"old": old, "new": new, "replace_all": replace_all}


async def test_a_unique_text_is_replaced(workspace: Workspace) -> None:
    path = workspace.folder / "calc.py"
    path.write_text(CODE)
    result = await workspace.edit("calc.py", edit("print(add(1, 2))", "print(add(2, 2))"))
    assert path.read_text() == CODE.replace("1, 2", "2, 2")
    assert result.text == "Edited calc.py: replaced 1 place (line 9)."
    assert result.changed == ("calc.py",)
    assert result.details["diff"].splitlines() == [
        "--- a/calc.py",
        "+++ b/calc.py",
        "@@ -6,4 +6,4 @@",
        "     return a - b",
        " ",
        " ",
        "-print(add(1, 2))",
        "+print(add(2, 2))",
    ]


async def test_a_text_that_occurs_more_than_once_needs_context_or_replace_all(
    workspace: Workspace,
) -> None:
    path = workspace.folder / "calc.py"
    path.write_text(CODE)
    with pytest.raises(ToolError, match=r"found 2 times in calc.py \(lines 2, 6\)") as refusal:
        await workspace.edit("calc.py", edit("return a - b", "return a + b"))
    assert "Add lines around it, or set replace_all" in str(refusal.value)
    assert path.read_text() == CODE
    await workspace.edit("calc.py", edit("return a - b", "return a + b", replace_all=True))
    assert path.read_text() == CODE.replace(" - ", " + ")


async def test_several_edits_are_looked_up_in_the_file_as_it_was(workspace: Workspace) -> None:
    path = workspace.folder / "f"
    path.write_text("one two three")
    await workspace.edit("f", edit("three", "one"), edit("one", "two"), edit("two", "three"))
    assert path.read_text() == "two three one"


async def test_when_one_edit_does_not_fit_none_is_made(workspace: Workspace) -> None:
    path = workspace.folder / "calc.py"
    path.write_text(CODE)
    with pytest.raises(ToolError, match=r"`old` of edits\[1\] was not found.*Nothing was changed"):
        await workspace.edit("calc.py", edit("add(1, 2)", "add(3, 4)"), edit("missing", "x"))
    assert path.read_text() == CODE


async def test_edits_that_overlap_are_refused(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("a\nb c d\n")
    with pytest.raises(ToolError, match=r"edits\[0\] and edits\[1\] overlap at line 2"):
        await workspace.edit("f", edit("b c", "x"), edit("c d", "y"))


async def test_an_edit_that_changes_nothing_is_refused(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("a")
    with pytest.raises(ToolError, match="are the same"):
        await workspace.edit("f", edit("a", "a"))


async def test_windows_newlines_and_the_byte_order_mark_are_kept(workspace: Workspace) -> None:
    path = workspace.folder / "f"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\nthree\r\n")
    await workspace.edit("f", edit("one\ntwo\n", "1\n2\n2b\n"))
    assert path.read_bytes() == b"\xef\xbb\xbf1\r\n2\r\n2b\r\nthree\r\n"


async def test_mixed_newlines_are_kept_where_they_are(workspace: Workspace) -> None:
    path = workspace.folder / "f"
    path.write_bytes(b"a\r\nb\r\nc\nd\n e")
    await workspace.edit("f", edit("c\nd", "C\nD"), edit("a\nb", "A\nB"))
    assert path.read_bytes() == b"A\r\nB\r\nC\nD\n e"


@pytest.mark.parametrize(
    ("content", "edits", "kind", "words"),
    [
        ("ab\n", [("ab", "x", False)], "ambiguous", "found more than 100,000 times in f. Add"),
        ("ab\n", [("ab", "x", True)], "too_large", "more than one call can replace"),
        ("a\r\n", [("a\n", "x", True)], "too_large", "more than one call can replace"),
        ("ab\n", [("zzz", "x", False)], "not_found", "too long to say where it comes nearest"),
    ],
)
async def test_millions_of_places_cost_no_gigabytes(
    workspace: Workspace, content: str, edits: list[tuple[str, str, bool]], kind: str, words: str
) -> None:
    text = content * 4_000_000
    (workspace.folder / "f").write_text(text, newline="")
    tracemalloc.start()
    try:
        with pytest.raises(ToolError, match=words) as refusal:
            await workspace.edit("f", *(edit(*one) for one in edits))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refusal.value.kind == kind
    assert peak < 60_000_000 + len(text)


async def test_a_text_that_would_grow_beyond_what_tools_read_is_refused(
    workspace: Workspace,
) -> None:
    (workspace.folder / "f").write_text("a\r\nb\n" * 10_000)
    with pytest.raises(ToolError, match="more than one call can replace"):
        await workspace.edit("f", edit("a", "x" * 10_000, replace_all=True))


async def test_the_diff_of_a_large_change_is_short(workspace: Workspace) -> None:
    lines = [f"value {n}\n" for n in range(5000)]
    (workspace.folder / "f").write_text("".join(lines) + "x" * 1_000_000)
    result = await workspace.edit(
        "f", edit("value", "x", replace_all=True), edit("x" * 999_999, "y")
    )
    assert result.details["replaced"] == 5001
    assert len(result.details["diff"]) < 20_000
    assert result.details["diff"].endswith("the rest of the diff is left out")


async def test_utf_16_is_kept(workspace: Workspace) -> None:
    path = workspace.folder / "f"
    path.write_bytes("größe = 1\n".encode("utf-16"))
    await workspace.edit("f", edit("größe", "länge"))
    assert path.read_bytes().decode("utf-16") == "länge = 1\n"


async def test_bytes_that_are_no_utf_8_are_kept(workspace: Workspace) -> None:
    path = workspace.folder / "f"
    path.write_bytes(b"caf\xe9 = 1\n")
    await workspace.edit("f", edit("= 1", "= 2"))
    assert path.read_bytes() == b"caf\xe9 = 2\n"
    with pytest.raises(ToolError, match="is not UTF-8"):
        await workspace.edit("f", edit("= 2", "= é"))


async def test_the_mode_is_kept(workspace: Workspace) -> None:
    path = workspace.folder / "run.sh"
    path.write_text("echo 1\n")
    path.chmod(0o755)
    await workspace.edit("run.sh", edit("1", "2"))
    assert path.stat().st_mode & 0o777 == 0o755


async def test_a_binary_file_is_refused(workspace: Workspace) -> None:
    (workspace.folder / "f").write_bytes(b"a\0b")
    with pytest.raises(ToolError, match="not a text file"):
        await workspace.edit("f", edit("a", "b"))


async def test_a_file_that_changed_since_it_was_read_is_said_so_once(workspace: Workspace) -> None:
    path = workspace.folder / "f"
    path.write_text("one\n")
    await workspace.read("f")
    path.write_text("one\ntwo\n")
    first = await workspace.edit("f", edit("one", "1"))
    assert first.text.endswith("The file had changed since you last read it.")
    second = await workspace.edit("f", edit("two", "2"))
    assert "changed" not in second.text


async def test_a_file_that_changes_during_the_call_is_not_overwritten(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workspace.folder / "f"
    path.write_text("one\n")
    read = workspace.sandbox.read_file

    async def read_then_change(*args: Any, **options: Any) -> FileData:
        file = await read(*args, **options)
        path.write_text("someone else's\n")
        return file

    monkeypatch.setattr(workspace.sandbox, "read_file", read_then_change)
    with pytest.raises(ToolError, match="changed by something else during this call"):
        await workspace.edit("f", edit("one", "1"))
    assert path.read_text() == "someone else's\n"


MISSES = {
    "indentation": (
        "def sub(a, b):\n  return a - b\n",
        "line 6, which differs only in spaces or tabs:\n"
        '  file: "    return a - b"\n  old:  "  return a - b"',
    ),
    "a letter": (
        "print(ad(1, 2))",
        'line 9, which differs:\n  file: "print(add(1, 2))"\n  old:  "print(ad(1, 2))"',
    ),
    "a line of several": (
        "def sub(a, b):\n    return a * b\n\n\nprint(add(1, 2))",
        'line 6, which differs:\n  file: "    return a - b"\n  old:  "    return a * b"',
    ),
    "a tab": (
        "def add(a, b):\n\treturn a - b",
        'differs only in spaces or tabs:\n  file: "    return a - b"\n  old:  "\\treturn a - b"',
    ),
    "line numbers": ("     5\tdef sub(a, b):", "leave out number and tab"),
    "beyond the end": ("print(add(1, 2))\n\nmain()\n", "goes on after the last line"),
    "nothing alike": ("SELECT * FROM users", "Nothing in the file is like it"),
    "other newlines": ("def add(a, b):\r\n    return a - b", "end differently (CRLF or LF)"),
}


@pytest.mark.parametrize("case", MISSES)
async def test_a_miss_is_diagnosed(workspace: Workspace, case: str) -> None:
    old, said = MISSES[case]
    (workspace.folder / "calc.py").write_text(CODE)
    with pytest.raises(ToolError) as refusal:
        await workspace.edit("calc.py", edit(old, "x"))
    assert refusal.value.kind == "not_found"
    assert said in str(refusal.value)


TEXT = st.text(st.sampled_from("ab \n\té字"), max_size=60)
NEWLINES = st.sampled_from(["\n", "\r\n"])
MARKS = st.sampled_from([b"", b"\xef\xbb\xbf"])


@settings(deadline=None)
@given(TEXT, st.data(), TEXT, NEWLINES, MARKS)
def test_what_is_not_replaced_stays_as_it_was(
    text: str, data: st.DataObject, new: str, newline: str, mark: bytes
) -> None:
    start = data.draw(st.integers(0, max(0, len(text) - 1)))
    old = text[start : start + data.draw(st.integers(1, 20))]
    if not old or old == new:
        return
    with new_workspace() as workspace:
        path = workspace.folder / "f"
        path.write_bytes(mark + text.replace("\n", newline).encode())
        result = asyncio.run(workspace.edit("f", edit(old, new, replace_all=True)))
        wanted = text.replace(old, new)
        in_newlines = newline if "\n" in text else "\n"
        assert path.read_bytes() == mark + wanted.replace("\n", in_newlines).encode()
        assert patched(text, result.details["diff"]) == wanted


def patched(text: str, diff: str) -> str:
    """Apply a unified diff."""
    diff = diff.replace("\n\\ No newline at end of file", "\0")
    lines = text.split("\n")
    lines = [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    out: list[str] = []
    at = 0
    for line in diff.split("\n")[2:]:
        if line.startswith("@@"):
            place = re.match(r"@@ -(\d+),(\d+) ", line)
            assert place is not None
            first, count = place.groups()
            start = int(first) - (1 if int(count) else 0)
            out += lines[at:start]
            at = start
            continue
        content = line[1:].removesuffix("\0") if line.endswith("\0") else line[1:] + "\n"
        if line[0] in " -":
            assert lines[at] == content
            at += 1
        if line[0] in " +":
            out.append(content)
    return "".join(out + lines[at:])


@settings(deadline=None)
@given(st.text(max_size=80), st.text(min_size=1, max_size=40))
def test_every_miss_has_a_diagnosis(text: str, old: str) -> None:
    if old not in text:
        assert diagnose_miss(text, old)


def test_a_miss_in_a_large_file_is_diagnosed_in_time() -> None:
    text = "".join(f"    value_{n % 1000} = compute({n})\n\n}}\n" for n in range(250_000))
    for old in ("}\n" * 2000, "value_7 = computed(7)", "    return nothing\n}\n"):
        began = time.process_time()
        assert diagnose_miss(text, old)
        assert time.process_time() - began < 3
