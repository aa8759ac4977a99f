"""What lies where a batch is started is imported by none of Ray's workers."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sii_cli.batch.plan.plan import BatchPlan
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.config.settings import Settings

ray = pytest.importorskip("ray")

from sii_cli.batch.sessions.ray_executor import RayExecutor  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.hostile, pytest.mark.xdist_group("ray")]

ROOT = Path(__file__).parents[4]


async def test_workers_import_nothing_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, marks = tmp_path / "workspace", tmp_path / "marks"
    workspace.mkdir()
    marks.mkdir()
    for name in ("click", "tools", "sii_cli", "orjson", "pydantic", "brotli", "yaml", "docker"):
        (workspace / f"{name}.py").write_text(f"open({str(marks / name)!r}, 'w')\n")
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    settings = replace(Settings(), home=tmp_path / "home", workspace=workspace)
    executor = RayExecutor(
        SessionParts(settings, BatchPlan("ray", "", "", "", 1, {}, 0, None, {})), None
    )
    assert Path.cwd() == workspace

    def look() -> tuple[list[str], str, str]:
        import sys

        import click

        import tools.registry

        return sys.path, str(click.__file__), str(tools.registry.__file__)

    try:
        path, click_file, tools_file = await ray.remote(look).remote()
    finally:
        await executor.aclose()
    assert not [entry for entry in path if not entry or Path(entry).is_relative_to(workspace)]
    assert str(workspace) not in click_file
    assert Path(tools_file) == ROOT / "tools" / "registry.py"
    assert os.listdir(marks) == []
