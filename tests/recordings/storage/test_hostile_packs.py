"""Packed recordings that lie about what is in them: told, and read within a bound of memory."""

from __future__ import annotations

import os
import resource
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard

from recordings.errors import RecordingDamaged, RecordingFailed
from recordings.events import UserMessage
from recordings.index.index import RecordingIndex
from recordings.storage import zstd
from recordings.storage.log import LOG, read_lines
from recordings.storage.pack import pack, unpack
from recordings.store.store import RecordingStore
from recordings.store.summary import summarise
from recordings.verify import verify
from tests.recordings.recording_sessions import FakeSession, record_session

pytestmark = pytest.mark.hostile

MEMORY = 120 << 20
"""Bytes that reading may take: a line of 32 MiB, its copies, and what a list keeps."""
PACKED = LOG + ".zst"
FOOTER = struct.Struct("<IBI")
MAGIC = 0x8F92EAB1


def _table(frames: list[tuple[int, int]], count: int | None = None) -> bytes:
    entries = b"".join(struct.pack("<II", *frame) for frame in frames)
    footer = FOOTER.pack(len(frames) if count is None else count, 0, MAGIC)
    return struct.pack("<II", 0x184D2A5E, len(entries) + len(footer)) + entries + footer


def _many_frames(path: Path) -> None:
    """A table of four billion frames in a file without blocks."""
    with path.open("wb") as file:
        file.truncate(1 << 40)
        file.seek(0, 2)
        file.write(FOOTER.pack((1 << 32) - 1, 0, MAGIC))


def _long_frame(path: Path) -> None:
    """A frame of four gigabytes in a file without blocks."""
    with path.open("wb") as file:
        file.truncate((1 << 32) - 1)
        file.seek(0, 2)
        file.write(_table([((1 << 32) - 1, 1 << 20)]))


def _lying_header(path: Path) -> None:
    """A frame whose header claims an exabyte."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0xC0 | 0x20]) + struct.pack("<Q", 1 << 60)
    frame = header + b"\x01\x00\x00"
    path.write_bytes(frame + _table([(len(frame), 1 << 20)]))


def _zeros(path: Path) -> None:
    """Sixteen gigabytes of zeros without a newline, in 200 kB."""
    frame = zstandard.ZstdCompressor().compress(b"\0" * zstd.FRAME)
    path.write_bytes(frame * 16384 + _table([(len(frame), zstd.FRAME)] * 16384))


def _empty_lines(path: Path) -> None:
    """Sixteen billion empty lines."""
    frame = zstandard.ZstdCompressor().compress(b"\n" * zstd.FRAME)
    path.write_bytes(frame * 16384 + _table([(len(frame), zstd.FRAME)] * 16384))


def _nested(path: Path) -> None:
    """A line of thirty megabytes of lists."""
    line = b'{"v":1,"type":"session_start","data":{"a":[' + b"[]," * (10 << 20) + b"[]]}}\n"
    _packed(path, line)


def _deep(path: Path) -> None:
    _packed(path, b'{"v":1,"data":' + b"[" * (8 << 20) + b"\n")


def _packed(path: Path, data: bytes) -> None:
    frames, whole = [], b""
    for start in range(0, len(data), zstd.FRAME):
        part = data[start : start + zstd.FRAME]
        frame = zstandard.ZstdCompressor().compress(part)
        frames.append((len(frame), len(part)))
        whole += frame
    path.write_bytes(whole + _table(frames))


def _wrong_sum(path: Path) -> None:
    frame = zstandard.ZstdCompressor().compress(b"x" * 100)
    path.write_bytes(frame + b"more than the table says" + _table([(len(frame), 100)]))


BOMBS = (_many_frames, _long_frame, _lying_header, _zeros, _empty_lines, _deep, _wrong_sum)


@pytest.fixture
def store(tmp_path: Path) -> RecordingStore:
    store = RecordingStore(tmp_path / "recordings")
    for _ in range(2):
        record_session(store.create_folder()[1])
    pack(store.resolve("last"))
    return store


@pytest.mark.bomb
@pytest.mark.parametrize("make", BOMBS)
def test_a_lying_pack_costs_its_own_line_and_little_memory(
    store: RecordingStore, make: Callable[[Path], None]
) -> None:
    bad = store.root / "20991231-235959-aaaaaa"
    bad.mkdir()
    make(bad / PACKED)
    tracemalloc.start()
    began = time.monotonic()
    try:
        with RecordingIndex(store) as index:
            index.refresh()
            rows = index.db.execute("SELECT id, status, why FROM recordings").fetchall()
        summaries = {one.id: one.status for one in store.list()}
        result = verify(bad)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = {name: (status, why) for name, status, why in rows}
    assert found[bad.name][0] == "damaged"
    assert found[bad.name][1]
    assert summaries[bad.name] == "damaged"
    assert not result.whole
    assert sorted(status for name, status in summaries.items() if name != bad.name) == ["done"] * 2
    assert peak < MEMORY, f"{peak >> 20} MiB"
    assert time.monotonic() - began < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < (4 << 20)


def test_a_frame_that_its_table_does_not_fit_is_told(tmp_path: Path) -> None:
    _wrong_sum(tmp_path / PACKED)
    with pytest.raises(RecordingDamaged, match="does not fit the file"):
        list(read_lines(tmp_path))


def test_a_list_of_wide_events_goes_on(store: RecordingStore) -> None:
    bad = store.root / "20991231-235959-aaaaaa"
    bad.mkdir()
    _nested(bad / PACKED)
    assert summarise(bad).status == "damaged"


def _bomb(folder: Path, frames: int) -> None:
    """A log of frames that hold a megabyte of nothing each."""
    frame = zstandard.ZstdCompressor(level=9).compress(bytes(1 << 20))
    packed = frame * frames + _table([(len(frame), 1 << 20)] * frames)
    (folder / PACKED).write_bytes(packed)
    (folder / LOG).unlink(missing_ok=True)


@pytest.mark.bomb
def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    folder = tmp_path / "20261123-204950-a3f9c2"
    folder.mkdir()
    record_session(folder)
    _bomb(folder, 1100)
    with pytest.raises(RecordingDamaged, match="no session is so much smaller packed"):
        unpack(folder)
    assert not (folder / LOG).exists()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("frames", [16, 48])
def test_what_grows_a_hundredfold_is_read_up_to_the_size_of_a_small_log(
    tmp_path: Path, frames: int
) -> None:
    log = tmp_path / LOG
    log.write_bytes((b"x" * ((1 << 20) - 1) + b"\n") * frames)
    _packed(tmp_path / PACKED, log.read_bytes())
    log.unlink()
    if frames < 32:
        assert sum(1 for _ in read_lines(tmp_path)) == frames
    else:
        with pytest.raises(RecordingDamaged, match="no session is so much smaller packed"):
            list(read_lines(tmp_path))


def test_what_would_not_be_read_again_is_not_packed(tmp_path: Path) -> None:
    folder = tmp_path / "20261123-204950-a3f9c2"
    folder.mkdir()

    def repeat(session: FakeSession) -> None:
        for _ in range(30):
            session.note(UserMessage(round=3, text="same " * (1 << 18)), "human")
        session.end()

    record_session(folder, change=repeat)
    pack(folder)
    assert not (folder / PACKED).exists()
    assert verify(folder).whole


def test_what_takes_half_the_free_disk_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "20261123-204950-a3f9c2"
    folder.mkdir()
    record_session(folder)
    size = (folder / LOG).stat().st_size
    pack(folder)
    space = SimpleNamespace(f_bavail=size, f_frsize=1)
    monkeypatch.setattr(os, "statvfs", lambda path: space)
    with pytest.raises(RecordingFailed, match="free some space"):
        unpack(folder)
    space.f_bavail = 10 * size + (1 << 20)
    unpack(folder)
    assert (folder / LOG).stat().st_size == size
