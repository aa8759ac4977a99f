"""Packing: smaller, read by everything, undone exactly, refused while somebody writes."""

import io
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.errors import RecordingDamaged, RecordingInUse
from recordings.events import UserMessage
from recordings.recorder import Recorder
from recordings.storage import zstd
from recordings.storage.log import LOG, read_events
from recordings.storage.pack import pack, unpack
from recordings.store.summary import summarise
from tests.recordings.recording_sessions import record_session


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_packed_recording_reads_as_before_and_is_smaller(tmp_path: Path) -> None:
    record_session(tmp_path, words=200)
    events, summary = list(read_events(tmp_path)), summarise(tmp_path)
    result = pack(tmp_path)
    assert result.after < result.before / 2
    assert not (tmp_path / LOG).exists()
    assert list(read_events(tmp_path)) == events
    packed = summarise(tmp_path)
    assert (packed.status, packed.steps, packed.first_message) == (
        summary.status,
        summary.steps,
        summary.first_message,
    )
    assert pack(tmp_path).before == result.after


def test_unpacking_gives_back_every_byte(tmp_path: Path) -> None:
    record_session(tmp_path, words=200)
    before = files(tmp_path)
    pack(tmp_path)
    unpack(tmp_path)
    assert files(tmp_path) == before


def test_a_recording_that_is_being_written_is_not_packed(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path, "s")
    recorder.record(UserMessage(round=1, text="hi"), "human")
    with pytest.raises(RecordingInUse):
        pack(tmp_path)
    recorder.close()


def test_a_packed_session_goes_on(tmp_path: Path) -> None:
    record_session(tmp_path)
    count = len(list(read_events(tmp_path)))
    pack(tmp_path)
    recorder = Recorder.resume(tmp_path)
    recorder.record(UserMessage(round=3, text="hi"), "human")
    recorder.close()
    assert len(list(read_events(tmp_path))) == count + 1


def test_any_zstd_tool_reads_a_packed_log(tmp_path: Path) -> None:
    record_session(tmp_path)
    plain = (tmp_path / LOG).read_bytes()
    pack(tmp_path)
    packed = (tmp_path / f"{LOG}.zst").read_bytes()
    stream = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
    assert stream.read() == plain


def test_what_is_no_packed_log_is_damaged(tmp_path: Path) -> None:
    (tmp_path / f"{LOG}.zst").write_bytes(b"nonsense that is long enough")
    with pytest.raises(RecordingDamaged, match="damaged"):
        list(read_events(tmp_path))
    assert summarise(tmp_path).status == "damaged"


@settings(max_examples=30, deadline=None)
@given(
    data=st.binary(max_size=5000),
    reads=st.lists(st.tuples(st.integers(0, 5500), st.integers(0, 700)), max_size=6),
)
def test_any_place_of_a_packed_file_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, reads: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("zstd") / "file.zst"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zstd, "FRAME", 512)
        with open(path, "wb") as target:
            zstd.compress(io.BytesIO(data), target)
        with zstd.open_compressed(path.open("rb"), path) as file:
            for offset, size in reads:
                file.seek(offset)
                assert file.read(size) == data[offset : offset + size]
            file.seek(0)
            assert file.read() == data
