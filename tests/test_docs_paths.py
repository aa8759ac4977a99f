"""Every path that a document names exists: rooms move, and documents do not notice."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PACKAGES = ("sii_cli", "tools", "sandbox", "recordings", "tests", "docs", "scripts", "benchmarks")
PATH = re.compile(rf"`((?:{'|'.join(PACKAGES)})/[^`\s]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")
OF_SLIME = "tools/convert_hf_to_torch_dist.py"
ONE_OF_MANY = "NAME"
"""Stands for what a reader would write there."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_and_links_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    paths = [path for path in PATH.findall(text) if path != OF_SLIME and ONE_OF_MANY not in path]
    named = [ROOT / path for path in paths]
    named += [document.parent / link for link in LINK.findall(text)]
    missing = [str(path.relative_to(ROOT)) for path in named if not _exists(path)]
    assert not missing, f"{document.name} names what is not there"


def _exists(path: Path) -> bool:
    return any(path.parent.glob(path.name)) if "*" in path.name else path.exists()


def test_paths_are_found_at_all() -> None:
    found = [path for document in DOCUMENTS for path in PATH.findall(document.read_text("utf-8"))]
    assert len(found) > 20
