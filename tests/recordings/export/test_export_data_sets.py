"""The data sets of sessions in provenance, manifest and card; without any, no word of them."""

from __future__ import annotations

import json
from pathlib import Path

from recordings.events import DataSetUse, SandboxStart
from tests.recordings.export.exporting import exported, lines
from tests.recordings.samples.told_session import ToldSession

FILMS = DataSetUse(name="films", sha256="ab" * 32, files=3, size=9, license="CC-BY-4.0")
OTHER = DataSetUse(name="wi|ki", sha256="cd" * 32, files=1, size=1)


def told(folder: Path, *data: DataSetUse) -> Path:
    session = ToldSession.create(folder)
    session.user("Go.")
    start = SandboxStart(backend="docker", sandbox_id="s", start_seconds=0.1, data=list(data))
    session.note(start, "harness")
    session.step(f"Done with {folder.name}.")
    session.end()
    return folder


def test_each_row_and_recording_names_them_with_hash_and_licence(tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported(out, "tokens", told(tmp_path / "a", FILMS, OTHER), told(tmp_path / "b", FILMS))
    films = {"name": "films", "sha256": "ab" * 32, "license": "CC-BY-4.0"}
    other = {"name": "wi|ki", "sha256": "cd" * 32, "license": None}
    assert [row["data"] for row in lines(out / "provenance.jsonl")] == [[films, other], [films]]
    manifest = json.loads((out / "manifest.json").read_text())
    assert [one["data"] for one in manifest["recordings"]] == [[films, other], [films]]
    card = (out / "README.md").read_text()
    assert (
        "| data sets | films abababab (CC-BY-4.0) 2, wi\\|ki cdcdcdcd (licence not known) 1 |"
        in card
    )


def test_without_a_data_set_the_files_are_as_before(tmp_path: Path) -> None:
    session = ToldSession.create(tmp_path / "a")
    session.user("Go.")
    session.step("Done.")
    session.end()
    exported(tmp_path / "out", "tokens", tmp_path / "a")
    assert "data" not in lines(tmp_path / "out" / "provenance.jsonl")[0]
    assert "data sets" not in (tmp_path / "out" / "README.md").read_text()
