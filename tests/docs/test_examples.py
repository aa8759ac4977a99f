"""The files that the documents show are read by what they are written for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sii_cli.config.load import load_settings
from sii_cli.model import profiles
from sii_cli.queries.query_files import read_query_file
from sii_cli.reexecution.rules import load_rules
from tests.docs.shown import ROOT, blocks


def example(document: str, language: str, folder: Path, name: str) -> Path:
    """Write the first block of a document in a language into a file."""
    shown = next(one for one in blocks(ROOT / "docs" / document) if one.language == language)
    path = folder / name
    path.write_text(shown.text)
    return path


def test_the_query_file(tmp_path: Path) -> None:
    file = read_query_file(example("reference/query-files.md", "yaml", tmp_path, "queries.yaml"))
    assert not file.mistakes
    assert len(file.queries) == 2


def test_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SII_HOME", str(tmp_path))
    example("reference/models.md", "toml", tmp_path, profiles.USER_FILE)
    profiles._entries.cache_clear()
    try:
        assert profiles.profile_of("acme/my-glm-2").name == "My fine-tune"
    finally:
        profiles._entries.cache_clear()


def test_the_settings(tmp_path: Path) -> None:
    example("guides/serve.md", "toml", tmp_path, "config.toml")
    (tmp_path / "workspace").mkdir()
    settings = load_settings({}, {"SII_HOME": str(tmp_path)}, tmp_path / "workspace")
    assert settings.base_url == "http://gpu-box:8000/v1"
    assert settings.model == "GLM-4.5-Air"


def test_the_rules(tmp_path: Path) -> None:
    rules = load_rules([example("guides/replay.md", "toml", tmp_path, "rules.toml")])
    assert "build-numbers" in {rule.name for rule in rules}


def test_the_loop_over_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train.jsonl").write_text('{"input_ids": [7, 8], "loss_mask": [0, 1]}\n')
    code = example("guides/finetune.md", "python", tmp_path, "loop.py").read_text()
    names: dict[str, object] = {}
    exec(code, names)
    assert names["labels"] == [-100, 8]
