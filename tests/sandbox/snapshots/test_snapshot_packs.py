"""Packs: what is put stays findable after kills, torn writes, a lost index and a full disk."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.snapshots import SnapshotDamaged, SnapshotError, SnapshotNotFound
from sandbox.snapshots.objects import Objects
from sandbox.snapshots.pack import BLOCK, PackWriter

WRITER = """
import sys
from pathlib import Path
from sandbox.snapshots.objects import Objects
objects = Objects(Path(sys.argv[1]), 1 << 40)
objects.prepare()
turn = 0
while True:
    for number in range(300):
        objects.put(b"%d %d" % (turn, number) * 200)
    objects.commit()
    print(turn, flush=True)
    turn += 1
"""


def opened(folder: Path) -> Objects:
    objects = Objects(folder, 1 << 40)
    objects.prepare()
    return objects


def packs_in(folder: Path) -> list[Path]:
    return sorted((folder / "packs").iterdir())


def put_some(folder: Path) -> dict[str, bytes]:
    objects = opened(folder)
    contents = [b"%d" % number * 5000 for number in range(200)] + [b""]
    kept = {objects.put(data): data for data in contents}
    objects.commit()
    objects.close()
    return kept


def assert_there(folder: Path, kept: dict[str, bytes]) -> None:
    objects = opened(folder)
    for sha256, data in kept.items():
        assert objects.get(sha256, len(data)) == data
    objects.close()


def test_what_is_put_is_there_at_once_and_once(tmp_path: Path) -> None:
    objects = opened(tmp_path)
    first = objects.put(b"a" * 100)
    assert objects.get(first, 100) == b"a" * 100
    objects.commit()
    size = sum(path.stat().st_size for path in packs_in(tmp_path))
    assert objects.put(b"a" * 100) == first
    objects.commit()
    assert sum(path.stat().st_size for path in packs_in(tmp_path)) == size


def test_a_hundred_thousand_bytes_or_more_make_few_files(tmp_path: Path) -> None:
    assert_there(tmp_path, put_some(tmp_path))
    assert len(packs_in(tmp_path)) == 1


@pytest.mark.parametrize("damage", ["deleted", "garbage", "emptied"])
def test_a_lost_index_is_made_again(tmp_path: Path, damage: str) -> None:
    kept = put_some(tmp_path)
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"index.sqlite{suffix}").unlink(missing_ok=True)
    index = tmp_path / "index.sqlite"
    match damage:
        case "deleted":
            index.unlink()
        case "garbage":
            index.write_bytes(os.urandom(10_000))
        case "emptied":
            index.write_bytes(b"")
    assert_there(tmp_path, kept)


def test_a_torn_block_costs_only_itself(tmp_path: Path) -> None:
    kept = put_some(tmp_path)
    (pack,) = packs_in(tmp_path)
    os.truncate(pack, pack.stat().st_size - 1)
    (tmp_path / "index.sqlite").unlink()
    objects = opened(tmp_path)
    found = [sha256 for sha256 in kept if objects.has(sha256)]
    assert 0 < len(found) < len(kept)
    for sha256, data in kept.items():  # what is lost is put again, what is there stays
        assert objects.put(data) == sha256
    objects.commit()
    assert_there(tmp_path, kept)


def test_a_changed_byte_is_told(tmp_path: Path) -> None:
    kept = put_some(tmp_path)
    (pack,) = packs_in(tmp_path)
    data = bytearray(pack.read_bytes())
    data[-20] ^= 255
    pack.write_bytes(data)
    objects = opened(tmp_path)
    last = list(kept)[-2]
    with pytest.raises(SnapshotDamaged):
        objects.get(last, 1 << 20)


def test_a_lost_pack_is_told(tmp_path: Path) -> None:
    kept = put_some(tmp_path)
    packs_in(tmp_path)[0].unlink()
    with pytest.raises(SnapshotDamaged, match="cannot be read"):
        opened(tmp_path).get(next(iter(kept)), 1 << 20)


def test_a_full_disk_loses_nothing_that_fits_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = opened(tmp_path)
    kept = {}
    real = PackWriter.append

    def full(self: PackWriter, block: bytes) -> int:
        os.pwrite(self._fd, block[:100], self.end)  # torn, as a full disk leaves it
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    data = os.urandom(BLOCK // 2)
    kept[objects.put(data)] = data
    monkeypatch.setattr(PackWriter, "append", full)
    with pytest.raises(SnapshotError, match="the disk is full"):
        objects.commit()
    monkeypatch.setattr(PackWriter, "append", real)
    objects.commit()
    objects.close()
    assert_there(tmp_path, kept)


def test_what_another_process_commits_is_found(tmp_path: Path) -> None:
    reader = opened(tmp_path)
    with pytest.raises(SnapshotNotFound):
        reader.get("0" * 64, 10)
    kept = put_some(tmp_path)
    assert all(reader.has(sha256) for sha256 in kept)


def test_a_killed_writer_leaves_all_that_it_committed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    for _ in range(3):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            turns = [int(writer.stdout.readline()) for _ in range(3)]
            writer.send_signal(signal.SIGKILL)
        objects = opened(tmp_path)
        for turn in turns:
            data = b"%d 299" % turn * 200
            assert objects.get(hashlib.sha256(data).hexdigest(), len(data)) == data
        objects.close()


STARTER = """
import sys
from pathlib import Path
from sandbox.snapshots.objects import Objects
objects = Objects(Path(sys.argv[1]), 1 << 40)
print("ready", flush=True)
sys.stdin.readline()
objects.prepare()
for turn in range(5):
    for number in range(200):
        objects.put(b"%d %d" % (turn, number) * 100)
    objects.commit()
objects.close()
"""


def test_many_processes_begin_one_store_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    command = [sys.executable, "-c", STARTER, str(folder)]
    pipe = subprocess.PIPE
    started = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) for _ in range(6)]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in started:
        _, errors = process.communicate()
        assert (process.returncode, errors) == (0, b"")
    contents = [b"%d %d" % (turn, number) * 100 for turn in range(5) for number in range(200)]
    assert_there(folder, {hashlib.sha256(data).hexdigest(): data for data in contents})
