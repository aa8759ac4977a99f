"""Documents that are bombs, broken, encrypted or not what they say: one sentence, within bounds."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sandbox
from tests.fakes.document_sandbox import DocumentSandbox
from tests.tools.document_files import (
    make_notebook,
    make_parquet,
    make_pdf,
    make_word,
    make_workbook,
)
from tests.tools.workspace import Workspace
from tools.base import ToolError

pytestmark = pytest.mark.hostile

MIB = 1 << 20


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, DocumentSandbox(tmp_path))


async def refusal(workspace: Workspace, name: str, **params: object) -> str:
    with pytest.raises(ToolError) as refused:
        await workspace.read(name, **params)
    assert str(refused.value).endswith((".", ")"))
    assert "Traceback" not in str(refused.value)
    return str(refused.value)


def peak(folder: Path, kind: str, name: str) -> tuple[float, dict[str, object]]:
    """Read a document as the sandbox does; return the megabytes it took, and the answer."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(sandbox.__file__).parent)!r});"
        "from runner.documents.main import main; main();"
        "import re; status = open('/proc/self/status').read();"
        "sys.stderr.write(re.search(r'VmHWM:\\s*(\\d+)', status)[1])"
    )
    asked = json.dumps({"kind": kind, "path": str(folder / name)})
    command = [sys.executable, "-I", "-B", "-c", program, asked]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return int(done.stderr) / 1024, json.loads(done.stdout)


async def test_an_encrypted_pdf_says_so(workspace: Workspace) -> None:
    make_pdf(workspace.folder / "a.pdf", encrypt="secret")
    assert "encrypted" in await refusal(workspace, "a.pdf")


async def test_a_broken_pdf_says_so(workspace: Workspace) -> None:
    whole = make_pdf(workspace.folder / "a.pdf").read_bytes()
    (workspace.folder / "b.pdf").write_bytes(b"%PDF-1.7\n" + os.urandom(4000))
    assert "damaged" in await refusal(workspace, "b.pdf")
    for end in range(100, len(whole), len(whole) // 8):  # what is left of it may be readable
        (workspace.folder / "c.pdf").write_bytes(whole[:end])
        try:
            assert "page" in (await workspace.read("c.pdf")).text
        except ToolError as error:
            assert "damaged" in str(error)  # noqa: PT017


def bomb(path: Path, *members: str, size: int = 2 << 30) -> None:
    """Write a zip whose members are zeros, a thousand times as many as its bytes."""
    zeros = bytes(16 * MIB)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for member in members:
            with archive.open(member, "w", force_zip64=True) as file:
                for _ in range(size // len(zeros)):
                    file.write(zeros)


@pytest.mark.bomb
async def test_a_pdf_whose_page_unpacks_to_gigabytes_is_within_bounds(
    workspace: Workspace,
) -> None:
    import zlib

    packer = zlib.compressobj(1)
    page = b"".join(packer.compress(b"(lens) Tj " * 100_000) for _ in range(600)) + packer.flush()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(page), page),
    ]
    data = b"%PDF-1.7\n"
    for number, part in enumerate(parts, 1):
        data += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    (workspace.folder / "a.pdf").write_bytes(data + b"trailer << /Root 1 0 R >>\n%%EOF")
    try:
        await workspace.read("a.pdf")
    except ToolError as error:
        assert "more time or memory than is allowed" in str(error)  # noqa: PT017


@pytest.mark.bomb
async def test_zip_bombs_are_a_sentence(workspace: Workspace) -> None:
    bomb(workspace.folder / "a.docx", "word/document.xml", size=160 * MIB)
    message = await refusal(workspace, "a.docx")
    assert "unpacked" in message or "damaged" in message
    bomb(workspace.folder / "a.xlsx", "xl/workbook.xml", "xl/sharedStrings.xml", size=544 * MIB)
    assert "unpacked" in await refusal(workspace, "a.xlsx")
    bomb(workspace.folder / "b.xlsx", "[Content_Types].xml", size=352 * MIB)
    assert "allowed" in await refusal(workspace, "b.xlsx")


async def test_entities_that_grow_are_refused(workspace: Workspace) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    text = f'<!DOCTYPE d [<!ENTITY e0 "ha">{entities}]><d>&e11;</d>'
    with zipfile.ZipFile(workspace.folder / "a.docx", "w") as archive:
        archive.writestr("word/document.xml", text)
    assert "entities" in await refusal(workspace, "a.docx")


async def test_documents_that_are_no_such_thing_are_damaged(workspace: Workspace) -> None:
    with zipfile.ZipFile(workspace.folder / "a.docx", "w") as archive:
        archive.writestr("readme.txt", "no document")
    (workspace.folder / "a.xlsx").write_bytes((workspace.folder / "a.docx").read_bytes())
    (workspace.folder / "b.xlsx").write_bytes(b"PK\x03\x04" + bytes(100))
    (workspace.folder / "a.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    (workspace.folder / "b.parquet").write_bytes(b"PAR1" + b"\xff" * 100)
    (workspace.folder / "a.db").write_bytes(b"SQLite format 3\0" + os.urandom(5000))
    (workspace.folder / "a.ipynb").write_text('{"cells": 3}')
    (workspace.folder / "b.ipynb").write_text('{"cells": ' + "[" * 9000)
    for name in sorted(os.listdir(workspace.folder)):
        assert await refusal(workspace, name)


async def test_parquet_metadata_that_claim_gigabytes_are_refused(workspace: Workspace) -> None:
    whole = bytearray(make_parquet(workspace.folder / "a.parquet").read_bytes())
    whole[-8:-4] = (1 << 30).to_bytes(4, "little")
    (workspace.folder / "b.parquet").write_bytes(whole)
    assert "metadata have 1,073,741,824 bytes" in await refusal(workspace, "b.parquet")
    for at in range(len(whole) - 600, len(whole) - 8, 150):
        torn = bytearray((workspace.folder / "a.parquet").read_bytes())
        torn[at : at + 4] = b"\xff\xff\xff\x7f"
        (workspace.folder / "c.parquet").write_bytes(torn)
        try:
            await workspace.read("c.parquet")
        except ToolError as error:
            assert str(error).endswith(".")  # noqa: PT017


async def test_a_notebook_of_more_than_64_mib_is_not_converted(workspace: Workspace) -> None:
    make_notebook(workspace.folder / "a.ipynb")
    with (workspace.folder / "a.ipynb").open("r+b") as file:
        file.truncate(200 * MIB)
    message = await refusal(workspace, "a.ipynb")
    assert "209,715,200 bytes; up to 67,108,864 are converted" in message


async def test_a_long_output_of_a_notebook_is_cut(workspace: Workspace) -> None:
    make_notebook(workspace.folder / "a.ipynb", output="x" * 10 * MIB)
    text = (await workspace.read("a.ipynb")).text
    assert len(text) < 5000
    assert "10,481,760 more characters of this output" in text


def test_a_table_of_10_gb_is_shown_at_once_with_an_estimate(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,name\n" + "".join(f"{n:07},some name\n" for n in range(100_000)))
    os.truncate(file, 10 << 30)
    taken, answer = peak(tmp_path, "csv", "a.csv")
    assert "| 0000000 | some name |" in str(answer["lines"])
    assert "about 596,5" in str(answer["notes"])
    assert "rows (estimated from the first 1,048,5" in str(answer["notes"])
    assert taken < 60


async def test_a_page_that_is_called_pdf_is_read_as_a_page(workspace: Workspace) -> None:
    (workspace.folder / "a.pdf").write_text("<!doctype html><p>Please log in.</p>")
    assert "Please log in." in (await workspace.read("a.pdf")).text


async def test_control_characters_of_a_document_reach_no_screen(workspace: Workspace) -> None:
    make_notebook(workspace.folder / "a.ipynb", output="\x1b]0;title\x07\x9b31m")
    text = (await workspace.read("a.ipynb")).text
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\x9b" not in text


@pytest.mark.parametrize(
    ("kind", "make", "most"),
    [
        ("pdf", lambda path: make_pdf(path, pages=50), 120),
        ("docx", make_word, 60),
        ("xlsx", make_workbook, 120),
        ("ipynb", make_notebook, 60),
        ("parquet", make_parquet, 300),
    ],
)
def test_a_reader_takes_little_memory(tmp_path: Path, kind: str, make: object, most: int) -> None:
    assert callable(make)
    make(tmp_path / "a")
    taken, answer = peak(tmp_path, kind, "a")
    assert answer["lines"]
    assert taken < most, f"{taken:.0f} MB"


def test_a_reader_can_take_no_more_memory_than_its_limit(tmp_path: Path) -> None:
    make_pdf(tmp_path / "a")
    before = resource.getrlimit(resource.RLIMIT_AS)
    program = (
        f"import sys; sys.path.insert(0, {str(Path(sandbox.__file__).parent)!r});"
        "from runner.documents.main import main; main(); bytearray(400 << 20)"
    )
    asked = json.dumps({"kind": "pdf", "path": str(tmp_path / "a")})
    command = [sys.executable, "-I", "-B", "-c", program, asked]
    done = subprocess.run(command, capture_output=True)
    assert b"MemoryError" in done.stderr
    assert resource.getrlimit(resource.RLIMIT_AS) == before
