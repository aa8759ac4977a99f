"""Parsers of what others write: each takes any bytes, and may raise none but its named errors.

A target returns when the input was read or refused as it should be; anything else that it raises
is a fault of `sii`.
"""

from __future__ import annotations

import io
import ssl
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from recordings.errors import RecordingError
from recordings.events import CallRequest
from recordings.importing.conversations import NotImportable, read_conversations
from recordings.redaction.redactor import Redactor
from recordings.redaction.secrets import SecretFinder
from recordings.reviews.reviews import read_reviews
from recordings.storage.log import read_events
from recordings.storage.zstd import compress
from recordings.verify import verify
from sandbox.network.client_hello import Incomplete, server_name
from sandbox.runner.frames import FrameDecoder, FrameError, encode
from sii_cli.config.project_settings import find_project_file
from sii_cli.errors import UsageError
from sii_cli.model.assemble import Assembler
from sii_cli.model.errors import ModelCallFailed
from sii_cli.model.forms.glm import differences
from sii_cli.model.http.sse import BadStream, EventSplitter
from sii_cli.model.response_limits import ResponseTooLarge
from sii_cli.queries.query_files import read_query_file
from sii_cli.queries.workspaces.errors import SourceRefused
from sii_cli.queries.workspaces.extraction import extract
from sii_cli.text.sanitise import sanitise

_WIRE = Path(__file__).parents[1] / "wire"
_VERSIONS = Path(__file__).parents[1] / "recordings" / "versions"
_MEMORY = Path("/dev/shm")
MOST_UNPACKED = 1 << 20
"""Bytes of an archive's content."""


def _stream(data: bytes) -> None:
    """A model server's answer."""
    splitter, assembler = EventSplitter(1 << 16), Assembler(max_tokens=64, context_length=256)
    with suppress(BadStream, ResponseTooLarge, ModelCallFailed):
        for cut in (data[: len(data) // 3], data[len(data) // 3 :]):
            for event in splitter.feed(cut):
                with suppress(orjson.JSONDecodeError):
                    for delta in assembler.add(orjson.loads(event)):
                        sanitise(delta.text)
        if assembler.finish_reason is not None:
            assembler.completion(attempt=1, first_chunk=None, first_token=None, total=0.0, chunks=0)


def _raw_text(data: bytes) -> None:
    """What generated ids spell, beside what the server's parser made of it."""
    text = data.decode("utf-8", "replace")
    differences(
        text,
        text[:20],
        text[-20:],
        [CallRequest(index=0, call_id="a", name="bash", arguments=text)],
    )


def _recording(data: bytes) -> None:
    """Somebody's `events.jsonl`."""
    with _folder() as folder:
        (folder / "events.jsonl").write_bytes(data)
        _read_all(folder)


def _packed(data: bytes) -> None:
    """Somebody's packed recording."""
    with _folder() as folder:
        (folder / "events.jsonl.zst").write_bytes(data)
        _read_all(folder)


def _read_all(folder: Path) -> None:
    with suppress(RecordingError):
        for _ in read_events(folder):
            pass
    with suppress(RecordingError):
        verify(folder)


def _reviews(data: bytes) -> None:
    """Somebody's `reviews.jsonl`."""
    with _folder() as folder, suppress(RecordingError):
        (folder / "reviews.jsonl").write_bytes(data)
        read_reviews(folder)


def _archive(data: bytes) -> None:
    """A workspace as a tarball."""
    with _folder() as folder, suppress(SourceRefused, OSError):
        (folder / "archive").write_bytes(data)
        (folder / "out").mkdir()
        with open(folder / "archive", "rb") as file:
            extract(file, folder / "out", max_bytes=MOST_UNPACKED)


def _client_hello(data: bytes) -> None:
    """The first bytes of a tunnel."""
    with suppress(Incomplete, ValueError):
        server_name(data)


def _frames(data: bytes) -> None:
    """What comes out of a sandbox."""
    with suppress(FrameError):
        FrameDecoder().feed(data)


def _queries(ending: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        with _folder() as folder, suppress(UsageError):
            (folder / f"queries{ending}").write_bytes(data)
            read_query_file(folder / f"queries{ending}")

    return read


def _settings(data: bytes) -> None:
    """A project's settings."""
    with _folder() as folder:
        (folder / ".sii").mkdir()
        (folder / ".sii" / "config.toml").write_bytes(data)
        find_project_file(folder, folder / "home")


def _import(data: bytes) -> None:
    """Trajectories from elsewhere."""
    with _folder() as folder, suppress(NotImportable):
        (folder / "theirs.jsonl").write_bytes(data)
        for _ in read_conversations(folder / "theirs.jsonl"):
            pass


def _redaction(data: bytes) -> None:
    """A text in which secrets are looked for."""
    Redactor(SecretFinder({"key": "known-secret"}, "entropy")).bytes(data)


@dataclass(frozen=True, slots=True)
class Target:
    """A parser, and inputs to begin from."""

    run: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as name:
        yield Path(name)


def _captured() -> tuple[bytes, ...]:
    streams = sorted(_WIRE.glob("*stream*.txt"))
    return tuple(path.read_bytes().partition(b"\r\n\r\n")[2][:4096] for path in streams)


def _recorded() -> bytes:
    return b"".join(path.read_bytes() for path in sorted(_VERSIONS.rglob("events.jsonl")))[:65536]


def _packed_seed(data: bytes) -> bytes:
    target = io.BytesIO()
    compress(io.BytesIO(data), target)
    return target.getvalue()


def _archive_seeds() -> Iterator[bytes]:
    for mode in ("w", "w:gz", "w:xz"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as archive:
            for name, kind, link in (
                ("a/b.txt", tarfile.REGTYPE, ""),
                ("a/" + "long" * 40, tarfile.REGTYPE, ""),
                ("link", tarfile.SYMTYPE, "a/b.txt"),
                ("out", tarfile.SYMTYPE, "../../etc"),
                ("hard", tarfile.LNKTYPE, "a/b.txt"),
                ("pipe", tarfile.FIFOTYPE, ""),
            ):
                member = tarfile.TarInfo(name)
                member.type, member.linkname = kind, link
                member.size = 5 if kind == tarfile.REGTYPE else 0
                archive.addfile(member, io.BytesIO(b"hello"))
        yield buffer.getvalue()


def _hello_seed() -> bytes:
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="host.example.org")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


_QUERY = b'{"id": "a", "query": "Do it.", "env": {"A": "1"}, "limits": {"steps": 3}}\n'
_CHAT = (
    b'{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": null,'
    b' "tool_calls": [{"id": "1", "type": "function", "function": {"name": "bash",'
    b' "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "1", "content": "x"}]}\n'
)
_CALL = (
    b"<think>I look.</think>Yes.<tool_call>bash<arg_key>command</arg_key>"
    b"<arg_value>ls</arg_value></tool_call>"
)
_SECRETS = (
    b"eyJhbGciOiJIUzI1NiJ9.e30.abc -----BEGIN PRIVATE KEY-----\nAAAA\n token=ghp_0 known-secret"
)


def targets() -> dict[str, Target]:
    """Return all targets by name."""
    recorded = _recorded()
    return {
        "stream": Target(_stream, _captured()),
        "raw_text": Target(_raw_text, (_CALL,)),
        "recording": Target(_recording, (recorded[:8192],)),
        "packed": Target(_packed, (_packed_seed(recorded[:4096]), _packed_seed(b""))),
        "reviews": Target(_reviews, (recorded[:1024], b'{"v":2,"reviewer":"r1"}\n')),
        "archive": Target(_archive, tuple(_archive_seeds())),
        "client_hello": Target(_client_hello, (_hello_seed(),)),
        "frames": Target(_frames, (encode({"type": "hello"}, b"body"),)),
        "queries_jsonl": Target(_queries(".jsonl"), (_QUERY * 2,)),
        "queries_yaml": Target(_queries(".yaml"), (b"- id: a\n  query: Do it.\n  tags: [x]\n",)),
        "queries_csv": Target(_queries(".csv"), (b'id,query,tags\na,"Do it.","[""x""]"\n',)),
        "queries_lines": Target(_queries(".txt"), (b"Do it.\n\nDo that.\n",)),
        "settings": Target(_settings, (b'max_steps = 3\nread_only = true\ntools = ["bash"]\n',)),
        "import": Target(_import, (_CHAT,)),
        "redaction": Target(_redaction, (_SECRETS,)),
    }
