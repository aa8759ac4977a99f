"""A store of snapshots that came with somebody's recordings: nothing in it rules the host."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from zstandard import ZstdCompressor, ZstdDecompressor

from sandbox.snapshots import Pruner, Snapshots
from sandbox.snapshots.changes import MAX_DIFFERING
from sandbox.snapshots.entries import TreeEntry, decode_entries, encode_entry, encode_tree
from sandbox.snapshots.errors import SnapshotDamaged, SnapshotError, SnapshotNotFound
from sandbox.snapshots.index import _TABLES, ObjectIndex
from sandbox.snapshots.pack import read_block
from sandbox.snapshots.store import SnapshotStore
from sandbox.snapshots.usage import at_work, cleaning, read_leases
from tests.fakes.planted_journal import plant_journal

pytestmark = pytest.mark.hostile


def index_of(store: Path) -> ObjectIndex:
    (store / "packs").mkdir(exist_ok=True)
    return ObjectIndex(str(store / "index.sqlite"), str(store / "packs"))


def test_a_planted_journal_has_no_file_of_the_host_deleted(tmp_path: Path) -> None:
    store, victim = tmp_path / "store", tmp_path / "thesis"
    store.mkdir()
    victim.write_text("years of work")
    plant_journal(store / "index.sqlite", victim)
    index = index_of(store)
    assert index.find(bytes(32)) is None
    index.close()
    assert victim.read_text() == "years of work"


@pytest.mark.parametrize("name", ["../../secret", "a\0b", b"x"])
def test_a_row_that_leads_out_of_the_packs_is_no_row(tmp_path: Path, name: object) -> None:
    db = sqlite3.connect(tmp_path / "index.sqlite")
    db.executescript(_TABLES)
    db.execute("INSERT INTO packs VALUES (1, ?, 9)", (name,))
    db.execute("INSERT INTO objects VALUES (?, 1, 0, 0, 9)", (bytes(32),))
    db.commit()
    db.close()
    (tmp_path.parent / "secret").write_bytes(b"sii1")
    index = index_of(tmp_path)
    assert index.find(bytes(32)) is None
    assert index.places([bytes(32)]) == {}
    index.close()


def test_a_view_in_the_place_of_a_table_is_not_asked(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "index.sqlite")
    db.execute(
        "CREATE VIEW packs AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
        "SELECT x AS number, 'a' AS name, 1 AS end FROM c WHERE x < 0"
    )
    db.close()
    index = index_of(tmp_path)
    assert index.counts() == {}
    index.close()


@pytest.mark.parametrize(
    "planted",
    [
        "CREATE INDEX more ON objects(0 * length(hex(zeroblob(size))))",
        "ALTER TABLE objects ADD COLUMN more AS (hex(zeroblob(size)))",
        "ALTER TABLE packs ADD COLUMN more INTEGER CHECK (length(hex(zeroblob(end))) > 0)",
        "CREATE TABLE more (x DEFAULT (hex(zeroblob(9))))",
    ],
)
def test_an_index_of_another_schema_is_made_again(tmp_path: Path, planted: str) -> None:
    """What an expression in it costs, another person chose."""
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as db:
        db.executescript(_TABLES)
        db.execute(planted)
    index = index_of(tmp_path)
    index.catch_up()
    index.close()
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as db:
        assert "more" not in "".join(str(row) for row in db.execute("SELECT * FROM sqlite_master"))
    made = (tmp_path / "index.sqlite").stat().st_ino
    index = index_of(tmp_path)
    index.catch_up()
    index.close()
    assert (tmp_path / "index.sqlite").stat().st_ino == made, "an index of its own is kept"


def _use(store: Path) -> None:
    with at_work(store):
        pass


def _clean(store: Path) -> None:
    with cleaning(store):
        pass


@pytest.mark.parametrize("plant", [os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
@pytest.mark.parametrize(
    ("name", "work"), [("lock", _use), ("cleaning", _clean), ("held/1-ab", read_leases)]
)
def test_what_is_no_file_is_a_sentence_and_not_waited_for(
    tmp_path: Path,
    name: str,
    work: Callable[[Path], object],
    plant: Callable[[Path], None],
) -> None:
    (tmp_path / "held").mkdir()
    plant(tmp_path / name)
    with pytest.raises(SnapshotError):
        work(tmp_path)


def test_a_pack_that_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "packs").mkdir()
    os.mkfifo(tmp_path / "packs/20990101-000000-00000000.pack")
    index = index_of(tmp_path)
    index.catch_up()
    assert index.counts() == {}
    index.close()
    with pytest.raises(OSError, match="not a regular file"):
        read_block(str(tmp_path / "packs/20990101-000000-00000000.pack"), 0, None)


def test_a_block_that_claims_more_than_its_pack_holds_takes_no_memory(tmp_path: Path) -> None:
    pack = tmp_path / "a.pack"
    pack.write_bytes(b"sii1" + b"\xff" * 4 + (9).to_bytes(8, "big"))
    with pytest.raises(SnapshotError):
        read_block(str(pack), 0, None)


def _tree(store: SnapshotStore, *entries: TreeEntry) -> str:
    return store.objects.put(encode_tree({one.name: encode_entry(one) for one in entries}))


async def test_small_trees_that_are_a_billion_files_are_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.snapshots.changes.MAX_DIFFERING", 1000)
    store = SnapshotStore(tmp_path / "store")
    with store.objects.at_work():
        tree = _tree(store, TreeEntry("f", "file", 0o644, 1, store.objects.put(b"x")))
        for _ in range(40):
            tree = _tree(store, *(TreeEntry(name, "directory", 0o755, 0, tree) for name in "ab"))
        store.objects.commit()
    for work in (
        lambda: store.materialise(tree, tmp_path / "new"),
        lambda: store.diff(None, tree),
        lambda: store.changes(None, tree),
        lambda: store.count_lines(None, tree, 10),
    ):
        with pytest.raises(SnapshotDamaged, match="More than 1,000 files"):
            await work()
    assert list((tmp_path / "new").iterdir()) == []


async def test_a_tree_that_the_disk_cannot_hold_is_not_begun(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "store")
    with store.objects.at_work():
        zeros = store.objects.put(b"x")
        tree = _tree(store, *(TreeEntry(f"f{n}", "file", 0o644, 1 << 50, zeros) for n in range(9)))
        store.objects.commit()
    with pytest.raises(SnapshotError, match="make room"):
        await store.materialise(tree, tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def _packed(store: Path, frame: bytes, *sizes: int) -> Path:
    """Write a pack of one block that lists objects of these sizes."""
    (store / "packs").mkdir(parents=True)
    table = b"".join(
        bytes(31) + bytes([n]) + size.to_bytes(8, "big") for n, size in enumerate(sizes)
    )
    head = b"sii1" + len(sizes).to_bytes(4, "big") + len(frame).to_bytes(8, "big")
    pack = store / "packs/20990101-000000-00000000.pack"
    pack.write_bytes(head + table + frame)
    return pack


CLAIMS_A_TERABYTE = bytes.fromhex("28b52ffde0") + (1 << 40).to_bytes(8, "little") + b"\1\0\0"
CLAIMS_NOTHING = ZstdCompressor(write_content_size=False).compress(bytes(1 << 20))


@pytest.mark.parametrize(
    ("frame", "sizes"),
    [
        (CLAIMS_A_TERABYTE, (5,)),
        (CLAIMS_A_TERABYTE, (1 << 40,)),
        (CLAIMS_NOTHING, (1 << 20,)),
        (ZstdCompressor().compress(bytes(1 << 20)), (5,)),
        (ZstdCompressor().compress(bytes(1 << 20)), (1 << 20, 1)),
    ],
)
def test_a_block_unpacks_to_what_it_lists(
    tmp_path: Path, frame: bytes, sizes: tuple[int, ...]
) -> None:
    """Its memory is taken before anything is unpacked."""
    pack = _packed(tmp_path, frame, *sizes)
    with pytest.raises(SnapshotDamaged, match="another size than it says"):
        read_block(str(pack), 0, ZstdDecompressor())


def test_a_pack_with_a_hole_lists_no_billions_of_objects(tmp_path: Path) -> None:
    pack = _packed(tmp_path, b"")
    pack.write_bytes(b"sii1" + (0xFFFFFFFF).to_bytes(4, "big") + bytes(8))
    os.truncate(pack, 1 << 38)
    with pytest.raises(SnapshotDamaged, match="no block"):
        read_block(str(pack), 0, ZstdDecompressor())
    index = index_of(tmp_path)
    index.catch_up()
    assert index.counts() == {}
    index.close()


@pytest.mark.parametrize(
    "entry",
    [
        TreeEntry("a" * 256, "directory", 0o755, 0, "0" * 64),
        TreeEntry("\udcff" * 256, "file", 0o644, 0, "0" * 64),
        TreeEntry("a", "symlink", target="b" * 4096),
    ],
)
def test_no_entry_is_longer_than_linux_allows(entry: TreeEntry) -> None:
    """Half a million paths below a name of ten megabytes fill any memory."""
    with pytest.raises(SnapshotDamaged, match="cannot be"):
        decode_entries([encode_entry(entry)])


async def test_a_path_longer_than_any_that_is_stored_is_not_followed(tmp_path: Path) -> None:
    store = SnapshotStore(tmp_path / "store")
    with store.objects.at_work():
        tree = _tree(store, TreeEntry("f", "file", 0o644, 1, store.objects.put(b"x")))
        for _ in range(5):
            tree = _tree(store, TreeEntry("a" * 255, "directory", 0o755, 0, tree))
        store.objects.commit()
    with pytest.raises(SnapshotDamaged, match="deeper than any"):
        await store.changes(None, tree)
    store.close()


@pytest.mark.parametrize("end", [b"\n", b"\r"])
async def test_a_tree_of_millions_of_lines_is_not_read(tmp_path: Path, end: bytes) -> None:
    store = SnapshotStore(tmp_path / "store")
    with store.objects.at_work():
        tree = store.objects.put((b"ab" + end) * (MAX_DIFFERING + 1))
        store.objects.commit()
    with pytest.raises(SnapshotDamaged, match="more than 500,000 entries"):
        await store.changes(None, tree)
    store.close()


def test_a_line_that_names_its_type_again_and_again_is_marked_in_linear_time(
    tmp_path: Path,
) -> None:
    store = SnapshotStore(tmp_path / "store")
    with store.objects.at_work():
        tree = store.objects.put(b'{"name":"a"' + b',"type":"file"' * 300_000 + b"}\n")
        store.objects.commit()
    pruner = Pruner(store.objects)
    begin = time.process_time()
    pruner.mark([tree])
    assert time.process_time() - begin < 20, "a search to the line's end each time takes minutes"
    pruner.close()
    store.close()


@pytest.mark.parametrize("name", ["packs", "objects", "objects/HH", "held"])
async def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    store, outside, workspace = (tmp_path / one for one in ("store", "outside", "workspace"))
    outside.mkdir()
    workspace.mkdir()
    content = bytes(2 << 20)  # a file of its own in the store
    (workspace / "large").write_bytes(content)
    link = store / name.replace("HH", hashlib.sha256(content).hexdigest()[:2])
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    snapshots = Snapshots(workspace, SnapshotStore(store))
    with pytest.raises(SnapshotError, match=f"{link} is a link, and nothing is written through it"):
        await snapshots.snapshot()
    snapshots.close()
    assert list(outside.iterdir()) == []


async def test_packs_are_not_read_through_a_link(tmp_path: Path) -> None:
    mine, theirs, workspace = (tmp_path / one for one in ("mine", "theirs", "workspace"))
    workspace.mkdir()
    (workspace / "file").write_text("mine")
    snapshots = Snapshots(workspace, SnapshotStore(mine))
    taken = await snapshots.snapshot()
    snapshots.close()
    theirs.mkdir()
    (theirs / "packs").symlink_to(mine / "packs")
    store = SnapshotStore(theirs)
    assert not await store.has(taken.tree_sha256)
    with pytest.raises(SnapshotNotFound):
        await store.changes(None, taken.tree_sha256)
    store.close()
    assert list(theirs.iterdir()) == [theirs / "packs"]
