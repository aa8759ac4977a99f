"""Documents in real sandboxes: which of sii's images reads which, and what the others say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sandbox.docker import image
from sandbox.docker.backend import DockerBackend
from sandbox.docker.sii_images import image_of
from sandbox.protocol import SandboxSpec, SandboxUnavailable
from tests.tiny_glm.cache import cache_folder, locked
from tests.tools.docker_session import Session, docker_session
from tests.tools.document_files import (
    make_database,
    make_notebook,
    make_parquet,
    make_pdf,
    make_table,
    make_word,
    make_workbook,
)

pytestmark = pytest.mark.docker


async def test_the_base_image_reads_all_but_parquet(tmp_path: Path) -> None:
    async with docker_session(tmp_path) as session:
        folder = session.workspace
        make_pdf(folder / "a.pdf", pages=50)
        make_word(folder / "a.docx")
        make_workbook(folder / "a.xlsx")
        make_notebook(folder / "a.ipynb")
        make_table(folder / "a.csv")
        make_database(folder / "a.db")
        make_parquet(folder / "a.parquet")
        page = await session.call("read_file", path="a.pdf", pages="1")
        assert page.text.startswith("--- page 1 ---\nChapter 1\n")
        assert "PDF, pages 1-1 of 50" in page.text
        shown = {
            "a.docx": "# Findings\n",
            "a.xlsx": "| 0 | =A2^2 |",
            "a.ipynb": "--- cell 2 (code, run 7) ---",
            "a.csv": "20,000 rows",
            "a.db": "--- table 1: people (50 rows) ---",
        }
        for name, text in shown.items():
            assert text in (await session.call("read_file", path=name)).text
        refused = await session.call("read_file", path="a.parquet")
        assert refused.error == "no_reader"
        assert "needs the Python package pyarrow" in refused.text
        assert "research has it" in refused.text


@pytest.mark.slow
async def test_the_research_image_reads_parquet(tmp_path: Path) -> None:
    try:
        with locked(cache_folder() / "image.lock"):
            image.ensure_image("research", print)
    except SandboxUnavailable as error:
        pytest.skip(f"research could not be built: {str(error)[-300:]}")
    make_parquet(tmp_path / "a.parquet", rows=1_000_000, group=250_000)
    sandbox = await DockerBackend().start(SandboxSpec(tmp_path, image=image_of("research")))
    try:
        session = Session(sandbox, tmp_path)
        begun = time.monotonic()
        result = await session.call("read_file", path="a.parquet", offset=750_001, limit=2)
        assert "| 750000 | n750000 |\n| 750001 | n750001 |" in result.text
        assert time.monotonic() - begun < 20  # on a busy machine
    finally:
        await sandbox.close()
