"""Every path that a document names exists: rooms move, and documents do not notice."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.shown import DOCUMENTS, ROOT, name_of

PACKAGES = ("sii_cli", "tools", "sandbox", "recordings", "tests", "docs", "scripts", "benchmarks")
PATH = re.compile(rf"`((?:{'|'.join(PACKAGES)})/[^`\s]*)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")
ADDRESS = re.compile(r"\]\((https?:[^)]*)\)")
OF_SLIME = "tools/convert_hf_to_torch_dist.py"
ONE_OF_MANY = "NAME"
"""Stands for what a reader would write there."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_paths_and_links_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    paths = [path for path in PATH.findall(text) if path != OF_SLIME and ONE_OF_MANY not in path]
    named = [ROOT / path for path in paths]
    named += [document.parent / link for link in LINK.findall(text)]
    missing = [str(path.relative_to(ROOT)) for path in named if not _exists(path)]
    assert not missing, f"{document.name} names what is not there"


def _exists(path: Path) -> bool:
    return any(path.parent.glob(path.name)) if "*" in path.name else path.exists()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_addresses_outside_are_well_formed(document: Path) -> None:
    """Nothing is fetched: tests have no network."""
    wrong = []
    for address in ADDRESS.findall(document.read_text("utf-8")):
        parts = urlsplit(address)
        if parts.scheme != "https" or "." not in (parts.hostname or "") or parts.username:
            wrong.append(address)
    assert not wrong


def test_paths_are_found_at_all() -> None:
    found = [path for document in DOCUMENTS for path in PATH.findall(document.read_text("utf-8"))]
    assert len(found) > 20
