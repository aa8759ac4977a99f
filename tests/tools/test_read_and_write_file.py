"""Reading and writing files: numbered lines, honest descriptions, no silent overwriting."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from sandbox.protocol import FileError
from tests.tools.workspace import Workspace
from tools.base import Cut, ToolError
from tools.files import COMPARED_LIMIT


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


async def test_lines_are_numbered(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("one\n\n  three\n")
    result = await workspace.read("f")
    assert result.text == "     1\tone\n     2\t\n     3\t  three"


async def test_a_range_says_where_to_go_on(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("".join(f"{n}\n" for n in range(1, 101)))
    result = await workspace.read("f", offset=10, limit=2)
    note = "[lines 10-11 of 100; go on with offset=12]"  # words: allow
    assert result.text == f"    10\t10\n    11\t11\n{note}"
    last = await workspace.read("f", offset=99)
    assert last.text == "    99\t99\n   100\t100\n[lines 99-100 of 100]"
    with pytest.raises(ToolError, match="has 100 lines; there is no line 101"):
        await workspace.read("f", offset=101)


async def test_a_large_file_is_read_in_parts_that_join(workspace: Workspace) -> None:
    lines = [f"{n} {'x' * 50}" for n in range(1, 5001)]
    (workspace.folder / "f").write_text("\n".join(lines) + "\n")
    seen: list[str] = []
    while len(seen) < len(lines):
        result = await workspace.read("f", offset=len(seen) + 1)
        assert len(result.text) < 61_000
        seen += [
            line.partition("\t")[2] for line in result.text.splitlines() if not line.startswith("[")
        ]
    assert seen == lines


async def test_a_long_line_is_cut_and_says_so(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("x" * 5000 + "\nshort\n")
    result = await workspace.read("f")
    assert "[... 3,000 more bytes in this line]\n     2\tshort" in result.text
    assert result.cut == Cut(3000, 0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "[the file is empty]"),
        (b"a", "     1\ta\n[no newline at the end of the file]"),
        (b"a\r\nb\r\n", "     1\ta\n     2\tb\n[lines end with CRLF]"),
        (
            b"a\r\nb\n",
            "     1\ta\\x0d\n     2\tb\n"
            "[some lines end with CRLF (its CR is shown as \\x0d), some with LF]",
        ),
        (b"\xef\xbb\xbfa\n", "     1\ta\n[UTF-8 with a byte order mark]"),
        ("é\n".encode("utf-16"), "     1\té\n[UTF-16]"),
        (b"caf\xe9\n", "     1\tcaf\\xe9\n[not UTF-8; such bytes are shown as \\xNN]"),
        (b"a\x1b[31mb\n", "     1\ta\\x1b[31mb"),
        (b"a\x0cb\x0bc\xe2\x80\xa8d\n", "     1\ta\\x0cb\\x0bc\u2028d"),
    ],
)
async def test_what_is_special_about_a_text_is_said(
    workspace: Workspace, data: bytes, text: str
) -> None:
    (workspace.folder / "f").write_bytes(data)
    assert (await workspace.read("f")).text == text


JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + b"\xff\xc0\x00\x11\x08"
    + struct.pack(">HH", 48, 64) + bytes(9)
)  # fmt: skip
BINARIES = {
    "PNG image, 3 x 2 pixels": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 3, 2),
    "GIF image, 3 x 2 pixels": b"GIF89a" + struct.pack("<HH", 3, 2) + b"\0",
    "JPEG image, 64 x 48 pixels": JPEG,
    "WebP image, 5 x 4 pixels": b"RIFF\0\0\0\0WEBPVP8X" + bytes(8) + b"\4\0\0\3\0\0",
    "BMP image, 3 x 2 pixels": b"BM" + bytes(12) + bytes(4) + struct.pack("<ii", 3, -2),
    "gzip data": b"\x1f\x8b\x08\0",
    "ELF executable or library": b"\x7fELF\2\1\1\0",
    "binary file": b"a\0b",
}


@pytest.mark.parametrize("kind", BINARIES)
async def test_binary_files_are_described(workspace: Workspace, kind: str) -> None:
    data = BINARIES[kind]
    (workspace.folder / "f").write_bytes(data)
    result = await workspace.read("f")
    assert result.text == f"[{kind}, {len(data)} bytes; only text can be shown]"


async def test_a_truncated_image_is_described_without_its_size(workspace: Workspace) -> None:
    (workspace.folder / "f").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    assert (await workspace.read("f")).text.startswith("[PNG image, 9 bytes")


async def test_a_directory_is_left_to_bash(workspace: Workspace) -> None:
    (workspace.folder / "d").mkdir()
    with pytest.raises(ToolError, match=r"d is a directory\. List it with bash"):
        await workspace.read("d")


async def test_a_file_that_is_not_there(workspace: Workspace) -> None:
    with pytest.raises(FileError, match="no file missing"):
        await workspace.read("missing")


async def test_a_file_too_large_is_left_to_bash(workspace: Workspace) -> None:
    with (workspace.folder / "f").open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(ToolError, match=r"has 104,857,600 bytes.*Use bash"):
        await workspace.read("f")
    assert (await workspace.write("f", "small\n")).text.startswith("Overwrote f")


async def test_a_new_file_is_made_with_its_directories(workspace: Workspace) -> None:
    result = await workspace.write("a/b/c.txt", "one\ntwo")
    assert (workspace.folder / "a/b/c.txt").read_text() == "one\ntwo"
    assert result.text == "Created a/b/c.txt: 2 lines, 7 bytes."
    assert result.changed == ("a/b/c.txt",)
    assert result.details["created"]


async def test_content_is_written_exactly(workspace: Workspace) -> None:
    content = "\ufeffa\r\nb\rc\x00\x1b字"
    await workspace.write("f", content)
    assert (workspace.folder / "f").read_bytes() == content.encode()


async def test_overwriting_what_was_not_read_is_said(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("one\n")
    result = await workspace.write("f", "two\n")
    assert result.text == (
        "Overwrote f: 1 line, 4 bytes. You had not read the file that was there before."
    )
    assert "-one\n+two" in result.details["diff"]


async def test_overwriting_what_was_read_is_no_matter(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("one\n")
    await workspace.read("f")
    assert (await workspace.write("f", "two\n")).text == "Overwrote f: 1 line, 4 bytes."
    assert (await workspace.write("f", "three\n")).text == "Overwrote f: 1 line, 6 bytes."


async def test_overwriting_what_changed_since_it_was_read_is_said(workspace: Workspace) -> None:
    (workspace.folder / "f").write_text("one\n")
    await workspace.read("f")
    (workspace.folder / "f").write_text("one and more\n")
    result = await workspace.write("f", "two\n")
    assert "had changed since you last read it; those changes are gone" in result.text


async def test_writing_what_is_there_already_is_said(workspace: Workspace) -> None:
    await workspace.write("f", "one\n")
    result = await workspace.write("f", "one\n")
    assert result.text == "f already had this content (1 line, 4 bytes)."
    assert result.changed == ()


async def test_a_path_by_another_name_is_the_same_file(workspace: Workspace) -> None:
    (workspace.folder / "real").write_text("one\n")
    (workspace.folder / "link").symlink_to("real")
    await workspace.read("link")
    result = await workspace.write("/workspace/real", "two\n")
    assert result.text == "Overwrote /workspace/real: 1 line, 4 bytes."


async def test_the_beginning_of_a_large_file_is_not_taken_for_all_of_it(
    workspace: Workspace,
) -> None:
    (workspace.folder / "f").write_text("x" * (COMPARED_LIMIT + 1))
    result = await workspace.write("f", "x" * COMPARED_LIMIT)
    assert result.text.startswith("Overwrote f")
    assert (workspace.folder / "f").stat().st_size == COMPARED_LIMIT


async def test_overwriting_a_large_file_says_whether_it_was_known(workspace: Workspace) -> None:
    large = "x" * 99 + "\n"
    large *= 5_000
    (workspace.folder / "f").write_text(large)
    unseen = await workspace.write("f", large + "1\n")
    assert "You had not read the file" in unseen.text
    assert "diff" not in unseen.details
    known = await workspace.write("f", large + "2\n")
    assert known.text == "Overwrote f: 5,001 lines, 500,002 bytes."
    (workspace.folder / "f").write_text(large)
    changed = await workspace.write("f", "small\n")
    assert changed.text.endswith(
        "The file had changed since you last read it; those changes are gone."
    )
    assert (workspace.folder / "f").read_text() == "small\n"


async def test_a_name_cannot_move_the_readers_cursor(workspace: Workspace) -> None:
    name = "a\x1b[2J\x07\u009b31m"
    shown = r"a\x1b[2J\x07\x9b31m"
    created = await workspace.write(name, "one")
    again = await workspace.write(name, "one")
    edited = await workspace.edit(name, {"old": "one", "new": "two"})
    for result in (created, again, edited):
        assert shown in result.text
        assert name not in result.text + result.details.get("diff", "")
    assert (workspace.folder / name).read_text() == "two"
