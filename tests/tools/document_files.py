"""Documents made by their own libraries, for the tests of what reads them."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Any

WORDS = "The quick brown fox jumps over the lazy dog. "


def make_pdf(path: Path, pages: int = 3, **options: Any) -> Path:
    """Write a PDF with text on each page, and a table on the second."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Table

    styles = getSampleStyleSheet()
    flow: list[Any] = []
    for number in range(1, pages + 1):
        flow.append(Paragraph(f"Chapter {number}", styles["Heading1"]))
        flow += [Paragraph(WORDS * 12, styles["BodyText"]) for _ in range(5)]
        if number == 2:
            flow.append(Table([["Order", "Height"], ["First", "2590 mm"]], colWidths=200))
        flow.append(PageBreak())
    SimpleDocTemplate(str(path), **options).build(flow)
    return path


def make_scan(path: Path) -> Path:
    """Write a PDF of one page that is a picture, as a scanner does."""
    from PIL import Image
    from reportlab.pdfgen.canvas import Canvas

    picture = path.with_suffix(".png")
    Image.new("RGB", (80, 100), "white").save(picture)
    canvas = Canvas(str(path))
    canvas.drawImage(str(picture), 0, 0, 500, 700)
    canvas.showPage()
    canvas.showPage()
    canvas.save()
    return path


def make_word(path: Path) -> Path:
    """Write a Word document with a heading, a list and a table."""
    import docx

    document = docx.Document()
    document.add_heading("Findings", 1)
    document.add_paragraph("Some words.")
    document.add_paragraph("an item", style="List Bullet")
    table = document.add_table(2, 2)
    for index, text in enumerate(("lens", "height", "first", "2590 | mm")):
        table.cell(index // 2, index % 2).text = text
    document.add_paragraph("The end.")
    document.save(str(path))
    return path


def make_workbook(path: Path, rows: int = 100) -> Path:
    """Write a workbook with two sheets and formulas."""
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sums"
    sheet.append(["n", "square"])
    for number in range(rows):
        sheet.append([number, f"=A{number + 2}^2"])
    sheet.append(["=cmd|' /C calc'!A0", None])
    book.create_sheet("Notes").append(["only this"])
    book.save(path)
    return path


def make_notebook(path: Path, output: str = "2") -> Path:
    """Write a notebook with text, code and outputs of each kind."""
    import nbformat

    v4: Any = nbformat.v4
    notebook = v4.new_notebook()
    outputs = [
        v4.new_output("stream", text="printed\n"),
        v4.new_output("execute_result", {"text/plain": output, "image/png": "aGVsbG8="}),
        v4.new_output("error", traceback=["\x1b[31mTraceback\x1b[0m", "KeyError: 'x'"]),
    ]
    notebook.cells = [
        v4.new_markdown_cell("# Title"),
        v4.new_code_cell("1 + 1", execution_count=7, outputs=outputs),
    ]
    path.write_text(v4.writes(notebook), "utf-8")
    return path


def make_table(path: Path, rows: int = 20_000) -> Path:
    """Write a CSV file whose texts hold newlines."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name", "score"])
        writer.writerows([number, f"line\n{number}", number / 4] for number in range(rows))
    return path


def make_parquet(path: Path, rows: int = 1000, group: int = 300) -> Path:
    """Write a Parquet file of several row groups."""
    import pyarrow
    import pyarrow.parquet

    table = {"id": list(range(rows)), "name": [f"n{number}" for number in range(rows)]}
    pyarrow.parquet.write_table(pyarrow.table(table), path, row_group_size=group)
    return path


def make_database(path: Path) -> Path:
    """Write a database with two tables and a view."""
    with sqlite3.connect(path) as database:
        database.execute('CREATE TABLE people (id INTEGER, "full ""name""" TEXT, face BLOB)')
        database.executemany(
            "INSERT INTO people VALUES (?, ?, ?)", [(n, f"p{n}", b"12345") for n in range(50)]
        )
        database.execute("CREATE TABLE empty (a)")
        database.execute("CREATE VIEW seen AS SELECT * FROM people")
    database.close()
    return path
