"""Archives that others made: whatever they hold, nothing outside the folder is touched."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sii_cli.batch.sessions.archive import merge_received, pack, unpack
from sii_cli.queries.queries import Query
from sii_cli.queries.validate import validate
from sii_cli.queries.workspaces import archive_check, extraction
from sii_cli.queries.workspaces.copies import make_workspace
from sii_cli.queries.workspaces.errors import SourceRefused, WorkspaceUnavailable
from sii_cli.queries.workspaces.extraction import extract

pytestmark = pytest.mark.hostile

LIMIT = 4 << 20


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what an archive would like to write to beside it."""
    (tmp_path / "secret").write_text("mine")
    (tmp_path / "folder").mkdir()
    return tmp_path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **what: int
) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    for attribute, value in what.items():
        setattr(made, attribute, value)
    return made


def link(name: str, target: str) -> tarfile.TarInfo:
    return member(name, tarfile.SYMTYPE, target)


def hard(name: str, target: str) -> tarfile.TarInfo:
    return member(name, tarfile.LNKTYPE, target)


def tar(*members: tarfile.TarInfo | tuple[str, bytes], **options: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", **options) as archive:  # type: ignore[call-overload]
        for one in members:
            if isinstance(one, tuple):
                archive.addfile(member(one[0], size=len(one[1])), io.BytesIO(one[1]))
            else:
                archive.addfile(one)
    return buffer.getvalue()


def unpacked(data: bytes, place: Path, **options: object) -> Path:
    folder = place / "folder"
    extract(io.BytesIO(data), folder, **({"max_bytes": LIMIT} | options))  # type: ignore[arg-type]
    return folder


def untouched(place: Path) -> None:
    assert (place / "secret").read_text() == "mine"
    assert sorted(os.listdir(place)) == ["folder", "secret"]
    for path in (place / "folder").rglob("*"):
        if path.is_symlink():
            real = os.path.realpath(path)
            assert Path(real).is_relative_to(os.path.realpath(place / "folder")), path


def test_files_directories_and_links_are_made(place: Path) -> None:
    data = tar(
        member("a/", tarfile.DIRTYPE, mode=0o2777),
        ("a/run.sh", b"echo"),
        link("a/up", "../b"),
        link("here", "."),
        hard("b", "a/run.sh"),
        ("x" * 120 + "/" + "y" * 200, b"long"),
    )
    for made in (data, gzip.compress(data), bz2.compress(data), lzma.compress(data)):
        folder = unpacked(made, place)
        assert (folder / "a" / "up").read_bytes() == b"echo"
        assert (folder / "b").samefile(folder / "a" / "run.sh")
        assert (folder / ("x" * 120) / ("y" * 200)).read_bytes() == b"long"
        assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o755


def test_what_pack_makes_comes_out_as_it_was(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "d" / "e").mkdir(parents=True)
    (source / "d" / "e" / "f").write_bytes(b"\0" * 3000)
    (source / "d" / "e" / "f").chmod(0o750)
    os.utime(source / "d" / "e" / "f", (1_000_000, 1_000_000))
    (source / os.fsdecode(b"caf\xe9")).write_text("latin-1")
    (source / ("n" * 255)).write_text("long")
    (source / "absolute").symlink_to("/usr/bin/python3")
    unpack(pack(source), tmp_path / "copy")
    copy = tmp_path / "copy"
    assert (copy / "d" / "e" / "f").stat().st_mtime == 1_000_000
    assert (copy / "d" / "e" / "f").stat().st_mode & 0o777 == 0o750
    assert (copy / os.fsdecode(b"caf\xe9")).read_text() == "latin-1"
    assert (copy / ("n" * 255)).read_text() == "long"
    assert (copy / "absolute").readlink() == Path("/usr/bin/python3")


def beyond_path_max() -> bytes:
    """CVE-2025-4517: `realpath` gives up on a path longer than PATH_MAX, and believes the rest."""
    members: list[tarfile.TarInfo | tuple[str, bytes]] = []
    path, long = "", "d" * 247
    for step in "abcdefghijklmnop":
        members.append(member(f"{path}{long}", tarfile.DIRTYPE, mode=0o755))
        members.append(link(f"{path}{step}", long))
        path += f"{long}/"
    far = "/".join("abcdefghijklmnop") + "/" + "l" * 254
    members.append(link(far, "../" * 16))
    members.append(link("escape", f"{far}/../"))
    members.append(hard("flag", "escape/secret"))
    members.append(("flag", b"owned"))
    return tar(*members)


ESCAPES: dict[str, Callable[[], bytes]] = {
    "a name with ..": lambda: tar(("../secret", b"owned")),
    "a name with .. inside": lambda: tar(("a/../../secret", b"owned")),
    "an absolute name": lambda: tar(("/tmp/owned", b"owned")),
    "a link up": lambda: tar(link("up", "..")),
    "an absolute link": lambda: tar(link("up", "/etc")),
    "a link that climbs back out of another": lambda: tar(
        member("a", tarfile.DIRTYPE, mode=0o755), link("a/b", "."), link("c", "a/b/../../secret")
    ),
    "a link through a link": lambda: tar(link("a", "b"), link("b", "../secret")),
    "a file through a link": lambda: tar(link("a", "."), ("a/x", b"owned")),
    "a directory over a link": lambda: tar(link("a", "."), member("a", tarfile.DIRTYPE)),
    "a directory through a file": lambda: tar(("a", b"x"), ("a/b", b"y")),
    "a file over a directory": lambda: tar(member("a", tarfile.DIRTYPE), ("a", b"x")),
    "a hard link out": lambda: tar(hard("a", "../secret"), ("a", b"owned")),
    "an absolute hard link": lambda: tar(hard("a", "/etc/passwd")),
    "a hard link through a link": lambda: tar(link("a", "."), ("b", b"x"), hard("c", "a/b")),
    "a hard link to a link": lambda: tar(link("a", "b"), hard("c", "a")),
    "a hard link to what comes later": lambda: tar(hard("a", "b"), ("b", b"x")),
    "a hard link to a directory": lambda: tar(member("a", tarfile.DIRTYPE), hard("c", "a")),
    "a link to nothing": lambda: tar(link("a", "")),
    "a device": lambda: tar(member("null", tarfile.CHRTYPE, devmajor=1, devminor=3)),
    "a disk": lambda: tar(member("sda", tarfile.BLKTYPE, devmajor=8)),
    "a FIFO": lambda: tar(member("pipe", tarfile.FIFOTYPE)),
    "a sparse file": lambda: tar(member("holes", tarfile.GNUTYPE_SPARSE)),
    "a kind that nobody knows": lambda: tar(member("what", b"Z")),
    "no name": lambda: tar(("", b"x")),
    "the folder itself as a file": lambda: tar(("./.", b"x")),
    "a NUL in a name": lambda: tar(_with_pax("path", "a\0b")),
    "a NUL in a target": lambda: tar(_with_pax("linkpath", "a\0b", tarfile.SYMTYPE)),
    "a name of 256 bytes": lambda: tar(("n" * 256, b"x")),
    "a path of 5000 bytes": lambda: tar(("/".join(["n" * 200] * 25), b"x")),
    "a thousand directories within one another": lambda: tar(("d/" * 1000 + "x", b"x")),
    "links beyond PATH_MAX": beyond_path_max,
}


def _with_pax(name: str, value: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    made = member("plain", kind, "b" if kind == tarfile.SYMTYPE else "")
    made.pax_headers = {name: value}
    return made


@pytest.mark.parametrize("what", ESCAPES)
def test_what_may_lead_outside_or_is_no_file_is_refused(place: Path, what: str) -> None:
    with pytest.raises(SourceRefused):
        unpacked(ESCAPES[what](), place)
    untouched(place)


@pytest.mark.parametrize("what", ESCAPES)
def test_what_is_refused_makes_no_workspace(place: Path, what: str) -> None:
    (place / "bad.tar").write_bytes(ESCAPES[what]())
    query = Query.model_validate({"id": "a", "query": "x", "workspace": "bad.tar"})
    with pytest.raises(WorkspaceUnavailable, match="cannot be made: "):
        make_workspace(query, place, place / "out")
    assert (place / "secret").read_text() == "mine"
    assert list((place / "out").glob("a-*")) == []


def validated(place: Path, data: bytes) -> list[str]:
    (place / "one.tar").write_bytes(data)
    (place / "q.jsonl").write_text('{"id": "a", "query": "x", "workspace": "one.tar"}\n')
    return [one.text for one in validate(place / "q.jsonl").mistakes]


@pytest.mark.parametrize("what", ESCAPES)
def test_what_is_refused_is_a_mistake_of_the_query_file(place: Path, what: str) -> None:
    data = ESCAPES[what]()
    with pytest.raises(SourceRefused) as refused:
        unpacked(data, place)
    before = sorted(place.rglob("*"))
    assert validated(place, data) == [f"workspace: one.tar: {refused.value}."]
    assert sorted(place.rglob("*")) == sorted([*before, place / "one.tar", place / "q.jsonl"])


@pytest.mark.parametrize("squeeze", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_archive_is_a_mistake_of_the_query_file(
    place: Path, squeeze: Callable[[bytes], bytes]
) -> None:
    whole = squeeze(tar(("a", random.Random(1).randbytes(100_000))))
    assert validated(place, whole) == []
    (found,) = validated(place, whole[: len(whole) // 2])
    assert found.startswith("workspace: one.tar: ")
    assert validated(place, b"") == ["workspace: one.tar: it is not a tar archive."]


def test_of_an_archive_only_the_beginning_is_looked_at(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_check, "MOST", 1 << 20)
    late = tar(("a", bytes(2 << 20)), link("up", ".."))
    assert validated(place, late) == []
    assert validated(place, tar(("a", bytes(1 << 18)), link("up", ".."))) != []
    bomb = gzip.compress(tar(("a", bytes(200 << 20))), 1)
    begin = time.process_time()
    assert validated(place, bomb) == []
    assert time.process_time() - begin < 0.5
    monkeypatch.setattr(archive_check, "MOST_NAMES", 10)
    assert validated(place, tar(*((f"{n}", b"") for n in range(12)), link("up", ".."))) == []


def test_archives_of_one_file_are_looked_at_once_and_not_without_end(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = archive_check.ArchiveChecks()
    for name in ("a.tar", "b.tar", "c.tar"):
        (place / name).write_bytes(tar((name, bytes(1 << 20)), link("up", "..")))
    monkeypatch.setattr(archive_check, "MOST", 3 << 19)
    checks._left = 2 << 20
    found = [checks.fault(place / name) for name in ("a.tar", "a.tar", "b.tar", "c.tar")]
    assert [bool(fault) for fault in found] == [True, True, False, False]


def test_of_two_members_of_a_name_the_later_counts_and_no_link_is_written_through(
    place: Path,
) -> None:
    data = tar(("a", b"one"), hard("b", "a"), ("b", b"two"), link("c", "a"), ("c", b"three"))
    folder = unpacked(data, place)
    assert [(folder / name).read_bytes() for name in "abc"] == [b"one", b"two", b"three"]


def test_setuid_and_others_right_to_write_do_not_come_out(place: Path) -> None:
    folder = unpacked(tar(member("su", mode=0o6777), member("none", mode=0)), place)
    assert stat.S_IMODE((folder / "su").stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "none").stat().st_mode) == 0o600


def zeros(size: int) -> Iterator[bytes]:
    header = member("big", size=size).tobuf()
    yield header
    for _ in range(size >> 16):
        yield bytes(1 << 16)


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lambda data: lzma.compress(data, preset=0)]
)
def test_a_bomb_ends_at_the_limit(place: Path, compress: Callable[[bytes], bytes]) -> None:
    bomb = compress(b"".join(zeros(LIMIT * 4)))
    assert len(bomb) < LIMIT >> 4
    with pytest.raises(SourceRefused, match=r"larger than 4,194,304 bytes"):
        unpacked(bomb, place)
    lying = compress(b"".join(zeros(LIMIT >> 1)) * 16)
    with pytest.raises(SourceRefused, match=r"larger than|damaged|cut off"):
        unpacked(lying, place)
    assert sum(path.stat().st_size for path in place.rglob("*")) <= LIMIT + 4


def test_a_size_that_lies_makes_no_file_of_that_size(place: Path) -> None:
    for size in (10 * LIMIT, 1 << 62, LIMIT - 1024):
        with pytest.raises(SourceRefused):
            unpacked(member("big", size=size).tobuf(format=tarfile.GNU_FORMAT), place)
        assert sum(path.stat().st_blocks for path in (place / "folder").rglob("*")) <= 16


def test_headers_without_end_are_refused(place: Path) -> None:
    large = member("pax", tarfile.XHDTYPE, size=LIMIT - 512).tobuf() + b"9" * LIMIT
    with pytest.raises(SourceRefused, match="a header of"):
        unpacked(large, place)
    small = member("pax", tarfile.XGLTYPE, size=512).tobuf() + bytes(512)
    with pytest.raises(SourceRefused, match="larger than"):
        unpacked(gzip.compress(small * (LIMIT >> 9)), place)


@pytest.mark.parametrize(
    "record", [b"99 path=a\n", b"9x path=a\n", b"0 path=\n", b"7 path\n", b"-5 a=b\n", b"9" * 600]
)
def test_a_damaged_extended_header_is_refused(place: Path, record: bytes) -> None:
    data = member("pax", tarfile.XHDTYPE, size=len(record)).tobuf() + record.ljust(1024, b"\0")
    with pytest.raises(SourceRefused):
        unpacked(data + member("a").tobuf(), place)


def test_many_files_are_counted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "MAX_MEMBERS", 100)
    with pytest.raises(SourceRefused, match="more than 100 files"):
        unpacked(tar(*(member(f"f{n}") for n in range(101))), place)
    assert len(list((place / "folder").iterdir())) <= 100


def test_an_xz_that_asks_for_gigabytes_is_refused(place: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    encoder = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=filters)
    with pytest.raises(SourceRefused, match="cannot be unpacked"):
        unpacked(encoder.compress(tar(("a", b"x"))) + encoder.flush(), place)


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 2000, b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0rest"])
def test_what_is_no_archive_is_told_in_a_sentence(place: Path, data: bytes) -> None:
    with pytest.raises((SourceRefused, OSError)):
        unpacked(data, place)


def test_an_archive_that_is_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.tar")
    query = Query.model_validate({"id": "a", "query": "x", "workspace": "a.tar"})
    with pytest.raises(WorkspaceUnavailable, match="not a regular file"):
        make_workspace(query, tmp_path, tmp_path / "out")


NAMES = st.sampled_from(["a", "b", "a/b", "b/a", "a/b/c", "..", "../secret", "a/../..", ".", "/x"])
KINDS = st.sampled_from([b"0", b"1", b"2", b"5"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(NAMES, KINDS, NAMES), max_size=12))
def test_no_order_of_links_and_files_leads_outside(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, bytes, str]]
) -> None:
    place = tmp_path_factory.mktemp("place")
    (place / "secret").write_text("mine")
    (place / "folder").mkdir()
    with suppress(SourceRefused):
        unpacked(tar(*(member(name, kind, target) for name, kind, target in members)), place)
    untouched(place)


@pytest.mark.parametrize("seed", range(8))
def test_archives_changed_at_random_touch_nothing_outside(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    chance = random.Random(seed)
    sound = tar(
        ("a/b", b"x" * 700), link("a/l", "b"), hard("h", "a/b"), _with_pax("path", "é" * 90)
    )
    sources = [sound, gzip.compress(sound), bz2.compress(sound), lzma.compress(sound)]
    place = tmp_path_factory.mktemp("place")
    (place / "secret").write_text("mine")
    for _ in range(100):
        data = bytearray(chance.choice(sources))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        folder = place / "folder"
        folder.mkdir()
        with suppress(SourceRefused, OSError):
            unpacked(bytes(data[: chance.choice([None, chance.randrange(len(data))])]), place)
        untouched(place)
        os.rename(folder, tmp_path_factory.mktemp("done") / "folder")


def sent(tmp_path: Path) -> Path:
    folder = tmp_path / "sent"
    (folder / "recordings" / "one").mkdir(parents=True)
    (folder / "recordings" / "one" / "events.jsonl").write_text("{}")
    (folder / "snapshots" / "objects" / "ab").mkdir(parents=True)
    (folder / "snapshots" / "objects" / "ab" / "new").write_text("object")
    return folder


def test_a_session_comes_home_beside_what_is_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "snapshots" / "objects" / "ab").mkdir(parents=True)
    (home / "snapshots" / "objects" / "ab" / "old").write_text("object")
    merge_received(pack(sent(tmp_path)), home)
    assert (home / "recordings" / "one" / "events.jsonl").read_text() == "{}"
    assert sorted(os.listdir(home / "snapshots" / "objects" / "ab")) == ["new", "old"]


def test_only_recordings_and_snapshots_come_home(tmp_path: Path) -> None:
    folder = sent(tmp_path)
    for name in ("config.toml", "key", "batch.json", "snapshots/index.sqlite", "recordings/index"):
        (folder / name).write_text("theirs")
    merge_received(pack(folder), tmp_path / "home")
    found = {path.name for path in (tmp_path / "home").rglob("*") if path.is_file()}
    assert found == {"events.jsonl", "new", "lock"}


def test_nothing_is_added_to_a_recording_that_is_there(tmp_path: Path) -> None:
    folder, home = sent(tmp_path), tmp_path / "home"
    merge_received(pack(folder), home)
    (folder / "recordings" / "one" / "reviews.jsonl").write_text("approved")
    (folder / "recordings" / "one" / "events.jsonl").write_text("changed")
    merge_received(pack(folder), home)
    assert os.listdir(home / "recordings" / "one") == ["events.jsonl"]
    assert (home / "recordings" / "one" / "events.jsonl").read_text() == "{}"


@pytest.mark.parametrize(
    "where", ["recordings", "recordings/two", "snapshots", "snapshots/objects"]
)
def test_nothing_is_brought_through_a_link_of_either_side(tmp_path: Path, where: str) -> None:
    elsewhere, home, folder = tmp_path / "elsewhere", tmp_path / "home", sent(tmp_path)
    elsewhere.mkdir()
    (elsewhere / "letter").write_text("mine")
    theirs = tmp_path / "theirs"
    (theirs / where).parent.mkdir(parents=True)
    (theirs / where).symlink_to(elsewhere)
    merge_received(pack(theirs), home)
    assert os.listdir(elsewhere) == ["letter"]
    assert not [path for path in home.rglob("*") if path.is_symlink()]
    if where in ("recordings", "snapshots/objects"):
        other = tmp_path / "other"
        (other / where).parent.mkdir(parents=True)
        (other / where).symlink_to(elsewhere)
        merge_received(pack(folder), other)
        assert os.listdir(elsewhere) == ["letter"]
