"""What comes home from another machine goes into the batch's folder and touches nothing else."""

from __future__ import annotations

from pathlib import Path

from sii_cli.batch.sessions.archive import merge_received, pack


def test_a_link_in_what_comes_home_moves_no_file_of_the_host(tmp_path: Path) -> None:
    documents, home, sent = tmp_path / "documents", tmp_path / "home", tmp_path / "sent"
    for folder in (documents, home / "recordings", sent):
        folder.mkdir(parents=True)
    (documents / "letter").write_text("mine")
    (sent / "recordings").symlink_to(documents)
    merge_received(pack(sent), home)
    assert (documents / "letter").read_text() == "mine"
    assert list((home / "recordings").iterdir()) == []
