"""Finding files and lines in a real sandbox: what a model reads, and what it is told is missing."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.tools.docker_session import Session, docker_session

pytestmark = pytest.mark.docker

FILES: dict[str, str | bytes] = {
    "app.py": "import os\n\n\ndef main():\n    return os.sep\n",
    "src/b.py": "def helper():\n    pass\n",
    "src/a.py": "def Main():\n    pass\n",
    "src/deep/c.ts": "function main() {}\n",
    ".env": "def secret\n",
    ".git/config": "def main\n",
    ".gitignore": "node_modules\n*.log\n",
    "node_modules/m.py": "def main():\n",
    "run.log": "def main\n",
    "image.bin": b"def main\0\1\n",
}


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Session]:
    async with docker_session(tmp_path) as session:
        for path, content in FILES.items():
            session.put(path, content)
        yield session


async def test_files_are_found_by_pattern(session: Session) -> None:
    for pattern, path, found in [
        ("*.py", ".", "app.py src/a.py src/b.py"),
        ("src/*.py", ".", "src/a.py src/b.py"),
        ("./src/**", ".", "src/a.py src/b.py src/deep/c.ts"),
        ("deep/*", "src", "src/deep/c.ts"),
        ("**/*.{py,ts}", "/workspace/src", "src/a.py src/b.py src/deep/c.ts"),
        ("[ab].py", "src/../src/", "src/a.py src/b.py"),
        ("*", ".", "app.py image.bin src/a.py src/b.py src/deep/c.ts"),
        ("!*.py", "src", "src/deep/c.ts"),
        ("./passwd", "/etc", "/etc/passwd"),
    ]:
        result = await session.call("glob", pattern=pattern, path=path)
        assert result.text.split("\n") == found.split(), pattern


async def test_hidden_and_ignored_files_are_found_when_asked_for(session: Session) -> None:
    nothing = await session.call("glob", pattern="m.py")
    assert nothing.text == "No files match but 1 hidden or ignored file: set `all` to see them."
    everything = await session.call("glob", pattern="*", all=True)
    assert everything.text.split("\n") == sorted(set(FILES) - {".git/config"})
    nothing = await session.call("grep", pattern="secret")
    assert nothing.text == "No lines match but in 1 hidden or ignored file: set `all` to see them."
    found = await session.call("grep", pattern="secret", all=True)
    assert found.text == ".env\n1:def secret"
    assert (await session.call("glob", pattern="*.rs")).text == "No files match."
    assert (await session.call("grep", pattern="nowhere")).text == "No lines match."


async def test_lines_are_found(session: Session) -> None:
    found = await session.call("grep", pattern=r"def \w+\(")
    assert (
        found.text
        == "app.py\n4:def main():\n\nsrc/a.py\n1:def Main():\n\nsrc/b.py\n1:def helper():"
    )
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"pattern": "main", "glob": "*"},
            "app.py\n4:def main():\n\nsrc/deep/c.ts\n1:function main() {}",
        ),
        ({"pattern": "main", "glob": "src/**"}, "src/deep/c.ts\n1:function main() {}"),
        (
            {"pattern": "main", "glob": "*.py", "ignore_case": True, "count": True},
            "app.py: 1\nsrc/a.py: 1",
        ),
        ({"pattern": "main() {}", "literal": True}, "src/deep/c.ts\n1:function main() {}"),
        (
            {"pattern": "main", "path": "app.py", "context": 1},
            "app.py\n3-\n4:def main():\n5-    return os.sep",
        ),
        ({"pattern": "import|sep", "path": "app.py"}, "app.py\n1:import os\n5:    return os.sep"),
        ({"pattern": "-> ", "path": "src"}, "No lines match."),
    ]
    for arguments, text in cases:
        assert (await session.call("grep", **arguments)).text == text, arguments
    gaps = await session.call("grep", pattern="import|return|pass", context=1)
    assert gaps.text.startswith(
        "app.py\n1:import os\n2-\n--\n4-def main():\n5:    return os.sep\n\nsrc/a.py\n1-"
    )


async def test_what_cannot_be_searched_is_said_in_words(session: Session) -> None:
    os.mkfifo(session.workspace / "pipe")
    for name, arguments, error, said in [
        ("grep", {"pattern": "(foo"}, "bad_pattern", "unclosed group"),
        ("glob", {"pattern": "[a"}, "bad_pattern", "unclosed character class"),
        (
            "grep",
            {"pattern": "x", "path": "gone"},
            "not_found",
            "There is no file or directory gone.",
        ),
        (
            "glob",
            {"pattern": "*", "path": "gone"},
            "not_found",
            "There is no file or directory gone.",
        ),
        ("grep", {"pattern": "x", "path": "pipe"}, "not_a_file", "pipe is a FIFO"),
        ("grep", {"pattern": "x", "path": "/dev/zero"}, "not_a_file", "is a device"),
        ("grep", {"pattern": "x", "path": "/proc/cpuinfo"}, "not_a_file", "with a command"),
        ("glob", {"pattern": "/etc/*"}, "bad_arguments", "Give the directory as `path`."),
        ("glob", {"pattern": "../*"}, "bad_arguments", "Give the directory as `path`."),
        ("grep", {"pattern": "a\0b"}, "bad_arguments", "NUL"),
        ("grep", {"pattern": "x" * 20_000}, "bad_arguments", "pattern"),
    ]:
        result = await session.call(name, **arguments)
        assert (result.error, said in result.text) == (error, True), result.text
    binary = await session.call("grep", pattern="main", path="image.bin")
    assert binary.text.startswith("[image.bin: binary file matches")


async def test_names_are_data(session: Session) -> None:
    for name in ("-e.txt", "a b.txt", "[x].txt", "$(id).txt", "größe.txt", "\x1b[2J.txt"):
        session.put(f"odd/{name}/{name}", "needle\n")
    listed = await session.call("glob", pattern="**/*.txt", path="odd")
    shown = ["$(id).txt", "-e.txt", "[x].txt", "\\x1b[2J.txt", "a|b.txt", "größe.txt"]
    assert sorted(listed.text.replace(" ", "|").split("\n")) == sorted(
        f"odd/{n}/{n}" for n in shown
    )
    inside = await session.call("glob", pattern="./*.txt", path="odd/[x].txt")
    assert inside.text == "odd/[x].txt/[x].txt"
    found = await session.call("grep", pattern="needle", path="odd/-e.txt", glob="./*.txt")
    assert found.text == "odd/-e.txt/-e.txt\n1:needle"


async def test_much_that_is_found_is_cut_and_counted(session: Session) -> None:
    for number in range(700):
        session.put(
            f"many/{number:03}.txt", "needle\nneedle\n" if number else "x" * 5000 + "needle\n"
        )
    listed = await session.call("glob", pattern="*.txt")
    assert listed.text.startswith("many/000.txt\nmany/001.txt\n")
    assert listed.text.endswith("many/499.txt\n[200 more files left out: narrow the search]")
    assert (listed.full or b"").count(b"\n") == 699
    found = await session.call("grep", pattern="needle")
    assert found.text.startswith(f"many/000.txt\n1:{'x' * 500} [... omitted end of long line]\n\n")
    assert found.text.endswith(
        "[cut here; what matches are 1,399 lines in 700 files: narrow the search]"
    )
    assert len(found.text.split("\n")) == 251
    counts = await session.call("grep", pattern="needle", count=True)
    assert counts.text.startswith("many/000.txt: 1\nmany/001.txt: 2\n")


async def test_what_may_not_be_read_is_counted(session: Session) -> None:
    await session.call("bash", command="mkdir locked && touch locked/x && chmod 0 locked")
    listed = await session.call("glob", pattern="*.py")
    assert listed.text.endswith("\n[left out because they cannot be read: 1]")
    for name, nothing in (("grep", "No lines match."), ("glob", "No files match.")):
        searched = await session.call(name, pattern="not-there")
        left_out = f"{nothing}\n[left out because they cannot be read: 1]"
        assert (searched.text, searched.error) == (left_out, None)
        assert (await session.call(name, pattern="x", path="locked")).error == "permission"
    await session.call("bash", command="chmod 700 locked")
