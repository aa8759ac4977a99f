"""A machine of a cluster has a data set where it lies, or receives it once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sii_cli.batch.sessions import node_data
from sii_cli.batch.sessions.node_data import NodeData, packed, sendable
from sii_cli.data_sets.data_set import DataSet, why_changed
from sii_cli.data_sets.registry import add_data_set, find_data_set
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable


class Store:
    """An object store that counts what is asked of it."""

    def __init__(self, *sent: bytes) -> None:
        self.sent = sent
        self.asked = 0

    def fetch(self, reference: int) -> bytes:
        self.asked += 1
        return self.sent[reference]


@pytest.fixture
def films(tmp_path: Path) -> DataSet:
    (tmp_path / "films" / "train").mkdir(parents=True)
    (tmp_path / "films" / "train" / "a.csv").write_text("film\n")
    return add_data_set(tmp_path / "home", "films", tmp_path / "films")


def test_it_is_received_once_for_all_sessions(tmp_path: Path, films: DataSet) -> None:
    store, node = Store(packed(films)), NodeData()
    elsewhere = replace(films, path="/nowhere/films")
    for name in ("one", "two"):
        node.provide(tmp_path / name, [elsewhere], {films.sha256: 0}, store.fetch)
        here = find_data_set(tmp_path / name, "films")
        assert (Path(here.path) / "train" / "a.csv").read_text() == "film\n"
        assert (here.sha256, why_changed(here), here.place) == (films.sha256, None, "/data/films")
    assert store.asked == 1


def test_a_file_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("film\n")
    one = add_data_set(tmp_path / "home", "one", tmp_path / "a.csv")
    elsewhere = replace(one, path="/nowhere/a.csv")
    NodeData().provide(tmp_path / "s", [elsewhere], {one.sha256: 0}, Store(packed(one)).fetch)
    here = find_data_set(tmp_path / "s", "one")
    assert (here.place, Path(here.path).read_text()) == ("/data/one/a.csv", "film\n")


def test_on_a_shared_file_system_it_is_used_where_it_lies(tmp_path: Path, films: DataSet) -> None:
    store = Store()
    NodeData().provide(tmp_path / "s", [films], {}, store.fetch)
    assert (find_data_set(tmp_path / "s", "films").path, store.asked) == (films.path, 0)


def test_one_that_is_too_large_to_send_says_what_to_do(
    tmp_path: Path, films: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_data, "MOST_SENT", films.size - 1)
    assert not sendable([films])
    elsewhere = replace(films, path="/nowhere/films")
    with pytest.raises(WorkspaceUnavailable, match="on a file system that all machines"):
        NodeData().provide(tmp_path / "s", [elsewhere], {}, Store().fetch)


def test_what_has_changed_is_not_sent(films: DataSet) -> None:
    (Path(films.path) / "new").write_text("")
    with pytest.raises(WorkspaceUnavailable, match="has changed since it was added"):
        packed(films)
