"""Documents are read as text, part by part, by programs inside the sandbox."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.document_sandbox import DocumentSandbox
from tests.tools.document_files import (
    make_database,
    make_notebook,
    make_parquet,
    make_pdf,
    make_scan,
    make_table,
    make_word,
    make_workbook,
)
from tests.tools.workspace import Workspace
from tools.base import ToolError
from tools.documents import kind_of


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, DocumentSandbox(tmp_path))


async def test_a_pdf_is_read_page_by_page(workspace: Workspace) -> None:
    make_pdf(workspace.folder / "a.pdf")
    whole = await workspace.read("a.pdf")
    assert "--- page 1 ---\nChapter 1\nThe quick brown fox" in whole.text
    assert "--- page 3 ---" in whole.text
    assert whole.text.endswith("[PDF, 3 pages]")
    assert whole.details["document"] == "pdf"
    second = await workspace.read("a.pdf", pages="2")
    assert "Chapter 2" in second.text
    assert "Chapter 1" not in second.text
    assert "Order | Height\nFirst | 2590 mm" in second.text, "columns that stand apart are parted"
    assert "[PDF, pages 2-2 of 3; go on with pages=3-3]" in second.text  # words: allow


async def test_a_long_pdf_ends_with_a_whole_page_and_says_where_to_read_on(
    workspace: Workspace,
) -> None:
    make_pdf(workspace.folder / "a.pdf", pages=50)
    result = await workspace.read("a.pdf")
    assert len(result.text) < 62_000
    last = int(result.text.split("--- page ")[-1].split(" ")[0])
    assert f"pages={last + 1}-50]" in result.text
    rest = await workspace.read("a.pdf", pages=f"{last + 1}-")
    assert rest.text.startswith(f"--- page {last + 1} ---")


async def test_a_page_that_is_only_a_picture_is_told_from_an_empty_one(
    workspace: Workspace,
) -> None:
    make_scan(workspace.folder / "a.pdf")
    text = (await workspace.read("a.pdf")).text
    assert "--- page 1 ---\n[scanned, no text]\n--- page 2 ---\n[empty]" in text
    assert "[1 page scanned, no text" in text


async def test_a_word_document_keeps_headings_lists_and_tables_in_order(
    workspace: Workspace,
) -> None:
    make_word(workspace.folder / "a.docx")
    text = (await workspace.read("a.docx")).text
    assert text.startswith(
        "# Findings\nSome words.\n- an item\n| lens | height |\n| first | 2590 \\| mm |\nThe end."
    )
    third = await workspace.read("a.docx", offset=3, limit=1)
    assert third.text.startswith("- an item\n[")
    assert "lines 3-3 of its text; go on with offset=4" in third.text  # words: allow


async def test_a_workbook_shows_its_sheets_and_formulas_as_text(workspace: Workspace) -> None:
    make_workbook(workspace.folder / "a.xlsx")
    text = (await workspace.read("a.xlsx")).text
    assert "--- sheet 1: Sums (102 rows x 2 columns) ---\n| n | square |\n| 0 | =A2^2 |" in text
    assert "--- sheet 2: Notes (1 rows x 1 columns) ---\n| only this |" in text
    assert "go on with pages=1, offset=21" in text  # words: allow
    rest = (await workspace.read("a.xlsx", pages="1", offset=101)).text
    assert "| 99 | =A101^2 |\n| =cmd\\|' /C calc'!A0 |" in rest


async def test_a_notebook_shows_cells_with_their_outputs(workspace: Workspace) -> None:
    make_notebook(workspace.folder / "a.ipynb")
    text = (await workspace.read("a.ipynb")).text
    assert "--- cell 1 (markdown) ---\n# Title\n--- cell 2 (code, run 7) ---\n1 + 1" in text
    assert "[stdout]\nprinted\n[result]\n2\n[image/png, 8 characters, not shown]" in text
    assert "[error]\nTraceback\nKeyError: 'x'" in text


async def test_a_large_table_is_shown_as_columns_counts_and_first_rows(
    workspace: Workspace,
) -> None:
    make_table(workspace.folder / "a.csv")
    text = (await workspace.read("a.csv")).text
    assert text.startswith("1. id: integer\n2. name: text\n3. score: number\n\n")
    assert "| 19 | line 19 | 4.75 |" in text
    assert "[table, 20,000 rows, 3 columns" in text
    lines = await workspace.read("a.csv", offset=2, limit=2)
    assert lines.text.startswith('     2\t0,"line\n'.rstrip("\n"))


async def test_a_small_table_is_shown_as_its_lines(workspace: Workspace) -> None:
    (workspace.folder / "a.csv").write_text("a,b\n1,2\n")
    assert (await workspace.read("a.csv")).text == "     1\ta,b\n     2\t1,2"


async def test_a_parquet_file_shows_schema_counts_and_chosen_rows(workspace: Workspace) -> None:
    make_parquet(workspace.folder / "a.parquet")
    text = (await workspace.read("a.parquet")).text
    assert text.startswith("1. id: int64\n2. name: string\n\n| id | name |\n| 0 | n0 |\n")
    assert "[Parquet file, 1,000 rows, 2 columns, 4 row groups]" in text
    assert "[rows 1-20; " in text
    later = (await workspace.read("a.parquet", offset=599, limit=3)).text
    assert "| 598 | n598 |\n| 599 | n599 |\n| 600 | n600 |\n[" in later


async def test_a_database_shows_tables_with_columns_and_rows(workspace: Workspace) -> None:
    make_database(workspace.folder / "a.db")
    text = (await workspace.read("a.db")).text
    assert "--- table 1: people (50 rows) ---" in text
    assert 'columns: id INTEGER, full "name" TEXT, face BLOB' in text
    assert "| 0 | p0 | (5 bytes) |" in text
    assert "--- table 2: empty (0 rows) ---" in text
    assert "seen" not in text, "a view may compute for ever"
    rest = (await workspace.read("a.db", pages="1", offset=49)).text
    assert "| 48 | p48 | (5 bytes) |\n| 49 | p49 | (5 bytes) |" in rest


async def test_a_document_without_its_name_is_known_by_its_bytes(workspace: Workspace) -> None:
    make_pdf(workspace.folder / "paper")
    assert "Chapter 1" in (await workspace.read("paper")).text


async def test_pages_of_a_text_are_a_sentence(workspace: Workspace) -> None:
    (workspace.folder / "a.txt").write_text("words")
    with pytest.raises(ToolError, match="it has no pages"):
        await workspace.read("a.txt", pages="1")
    make_pdf(workspace.folder / "a.pdf")
    for pages in ("4", "3-2", "0"):
        with pytest.raises(ToolError, match="There is no page"):
            await workspace.read("a.pdf", pages=pages)
    with pytest.raises(ToolError, match="as 3, 3-7 or 3-"):
        await workspace.read("a.pdf", pages="two")


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.pdf", b"%PDF-1.7", "pdf"),
        ("a.pdf", b"<!doctype html>", None),
        ("a.docx", b"PK\x03\x04", "docx"),
        ("a.whl", b"PK\x03\x04", None),
        ("a.csv", b"a,b", "csv"),
        ("a.csv", b"a\0b", None),
        ("a.ipynb", b"not json", None),
    ],
)
def test_a_name_alone_makes_no_document(name: str, head: bytes, kind: str | None) -> None:
    assert kind_of(name, head) == kind
