"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sii_cli.shell import Shell


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, monkeypatch)
