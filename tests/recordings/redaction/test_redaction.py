"""Redaction: secrets are found, never kept when a redactor listens, and taken out afterwards."""

import base64
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from recordings.conversation.restore import restore
from recordings.events import (
    CallRequest,
    EventData,
    IdSpan,
    LiveDelta,
    ModelDelta,
    ModelResponse,
    Observation,
    UserMessage,
)
from recordings.index.find import search
from recordings.index.index import RecordingIndex
from recordings.recorder import Recorder
from recordings.redaction import rewrite
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact, scan
from recordings.redaction.secrets import SecretFinder, known_secrets, mask
from recordings.reviews.approval import standing
from recordings.reviews.reviews import add_review, read_reviews
from recordings.storage.blobs import open_blob, read_blob
from recordings.storage.lines import encode_event
from recordings.storage.log import LOG, read_events, recording_hash
from recordings.storage.pack import pack
from recordings.store.store import RecordingStore
from recordings.verify import verify
from tests.recordings.data_of import data_of
from tests.recordings.recording_examples import EXAMPLES
from tests.recordings.recording_sessions import FakeSession, record_session, session_start

KEY = "zq8Kd2-hX7wPb4Tn"
KNOWN = {"SII_API_KEY": KEY}


def masked(text: str, **options: Any) -> str:
    finder = SecretFinder(KNOWN, **options)
    return mask(text, finder.find(text))


def files_hold(folder: Path, text: str) -> bool:
    return any(text.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def with_one_text(value: Any, text: str) -> Iterator[Any]:
    """Yield a value once for each text in it, with another in its place."""
    match value:
        case str():
            yield text
        case dict():
            for key, item in value.items():
                yield from ({**value, key: one} for one in with_one_text(item, text))
        case list() | tuple():
            for place, item in enumerate(value):
                for one in with_one_text(item, text):
                    yield [*value[:place], one, *value[place + 1 :]]


@pytest.mark.parametrize("data", [data for data, _ in EXAMPLES], ids=lambda data: data.type)
def test_a_secret_is_seen_in_whatever_text_of_an_event_it_stands(data: EventData) -> None:
    redactor = Redactor(SecretFinder(KNOWN, depth="patterns"))
    for fields in with_one_text(data.model_dump(), f"before {KEY}"):
        with suppress(ValidationError):  # a field that takes only certain words
            hurt = type(data).model_validate(fields)
            assert KEY not in redactor.data(hurt).model_dump_json()


def test_known_secrets_are_those_whose_names_say_so() -> None:
    environment = {
        "SII_API_KEY": KEY,
        "DB_PASSWORD": "hunter2hunter2",
        "PATH": "/usr/bin",
        "MONKEY": "not-a-secret-at-all",
        "SSH_AUTH_SOCK": "/tmp/ssh-agent",
        "PIN_TOKEN": "1234",
        "KEY_FILE_KEY": "/etc/key.pem",
    }
    assert known_secrets(environment) == {"SII_API_KEY": KEY, "DB_PASSWORD": "hunter2hunter2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"the key is {KEY}.", "the key is ‹redacted:SII_API_KEY›."),
        ("id AKIAABCDEFGHIJKLMNOP,", "id ‹redacted:AWS_KEY_ID›,"),
        ("ghp_" + "a1B2" * 9, "‹redacted:GITHUB_TOKEN›"),
        ("sk-proj-" + "a1B2" * 8, "‹redacted:API_KEY›"),
        ("https://ada:pa55word@db.example/x", "https://ada:‹redacted:URL_PASSWORD›@db.example/x"),
        ("Authorization: Bearer " + "a1B2" * 8, "Authorization: Bearer ‹redacted:BEARER›"),
        ("DB_PASSWORD='x9Kq2mZ7wPb4'", "DB_PASSWORD='‹redacted:DB_PASSWORD›'"),
        ('{"api_key": "x9Kq2mZ7wPb4"}', '{"api_key": "‹redacted:API_KEY›"}'),
        (
            "-----BEGIN RSA PRIVATE KEY-----\n" + "QUJD\n" * 20 + "-----END RSA PRIVATE KEY-----",
            "‹redacted:PRIVATE_KEY›",
        ),
    ],
)
def test_secrets_are_masked_by_name(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "password = get_password()",
        "token: str = Field(default=None)",
        "secret = os.environ['MY_SECRET_NAME']",
        "commit 5d41402abc4b2a76b9719d911017c592ae2f8c1d",
        "skip-this-very-long-kebab-case-identifier-name",
        "max_tokens=131072000000",
        "task-very-long-kebab-case-name-of-something-2",
        "git@github.com:ada/ledger.git",
        "from recordings.conversation.messages import chain_message, encode_message",
    ],
)
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert masked(text) == text


def test_entropy_finds_what_has_no_name_and_leaves_hashes() -> None:
    random_text = base64.b64encode(random.Random(1).randbytes(36)).decode()
    assert masked(f"x {random_text} y", depth="entropy") == "x ‹redacted:HIGH_ENTROPY› y"
    assert masked("5d41402abc4b2a76" * 4, depth="entropy") == "5d41402abc4b2a76" * 4
    path = "/usr/local/lib/python3.11/site-packages/hypothesis/internal"
    assert masked(path, depth="entropy") == path


@pytest.mark.parametrize(
    "text",
    [
        "x" * 200_000,
        "key" * 60_000,
        "a-" * 90_000,
        "://a:" * 40_000,
        "sk-" * 60_000,
        "eyJa." * 40_000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    start = time.perf_counter()
    SecretFinder(KNOWN, "entropy").find(text)
    assert time.perf_counter() - start < 2


@given(before=st.text(max_size=30), after=st.text(max_size=30))
def test_a_known_secret_is_found_in_any_surroundings(before: str, after: str) -> None:
    assert KEY not in masked(before + KEY + after)


@pytest.fixture
def secretive(tmp_path: Path) -> Iterator[Recorder]:
    """A recording made while a redactor listens, in which the key is everywhere."""
    redactor = Redactor(SecretFinder(KNOWN))
    folder = tmp_path / "20260101-000000-aaaaaa"
    folder.mkdir()
    recorder = Recorder.create(folder, folder.name, redactor=redactor)
    yield recorder
    recorder.close()


def test_nothing_secret_is_written_while_a_redactor_listens(secretive: Recorder) -> None:
    secretive.record(session_start(settings={"api_key": KEY}), "harness")
    told = secretive.record(UserMessage(round=1, text=f"use {KEY} here"), "human")
    response = ModelResponse(
        step=1,
        attempt=1,
        reasoning=f"the key is {KEY}",
        calls=[CallRequest(index=0, call_id="c", name="bash", arguments=f'{{"command":"{KEY}"}}')],
        finish_reason="stop",
        complete=True,
        prompt_ids=IdSpan(keep=0, new=[1, 2, 3]),
        generated_ids=[4, 5],
    )
    kept = secretive.record(response, "model")
    ref = secretive.put_blob(b"\xff raw " + KEY.encode())
    secretive.record(
        Observation(step=1, call_id="c", name="bash", text="ok", seconds=0, full=ref), "tool"
    )
    secretive.close()

    assert not files_hold(secretive.folder, KEY)
    assert isinstance(told.data, UserMessage)
    assert isinstance(kept.data, ModelResponse)
    assert told.data.text == "use ‹redacted:SII_API_KEY› here"
    assert kept.data.generated_ids == [-1, -1]
    assert kept.data.prompt_ids is not None
    assert kept.data.prompt_ids.new == [1, 2, 3]
    assert kept.data.flags == ["redacted"]
    assert list(read_events(secretive.folder))[1] == told
    assert verify(secretive.folder).whole


def test_a_secret_that_streams_in_pieces_is_not_written(
    secretive: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for piece in [*["word "] * 14, *KEY, *[" more"] * 30]:
        secretive.live(LiveDelta(1, "content", piece))
        now[0] += 0.05
    secretive.close()
    texts = [one.text for one in data_of(read_events(secretive.folder), ModelDelta)]
    assert len(texts) > 1
    assert "".join(texts) == "word " * 14 + "‹redacted:SII_API_KEY›" + " more" * 30


def test_what_holds_no_secret_is_kept_as_it_is(secretive: Recorder) -> None:
    data = UserMessage(round=1, text="nothing here")
    assert secretive.record(data, "human").data is data


def test_whole_texts_can_be_dropped() -> None:
    redactor = Redactor(SecretFinder(KNOWN), whole=True)
    assert redactor.text(f"all of this {KEY} goes") == "‹redacted:SII_API_KEY›"
    assert redactor.text("this stays") == "this stays"


def leaky(folder: Path) -> None:
    """A session recorded without a redactor, in which the key was said in round 3."""

    def leak(session: FakeSession) -> None:
        session.round(2, message=f"log in with {KEY}")
        session.request()
        call = session.response(1).calls[0]
        session.call(call)
        ref = session.recorder.put_blob(f"secret output {KEY}".encode())
        session.recorder.record(
            Observation(step=9, call_id=call.call_id, name="bash", text="…", seconds=0, full=ref),
            "tool",
        )
        session.end()

    record_session(folder, change=leak)


@pytest.fixture
def leaked(tmp_path: Path) -> Path:
    store = RecordingStore(tmp_path)
    _, folder = store.create_folder()
    leaky(folder)
    return folder


def test_a_scan_says_where_secrets_are_without_repeating_them(leaked: Path) -> None:
    findings = list(scan(leaked, SecretFinder(KNOWN)))
    assert [(finding.secret.name, finding.in_blob) for finding in findings] == [
        ("SII_API_KEY", False),
        ("SII_API_KEY", True),
    ]
    assert KEY not in repr(findings)


def test_redaction_leaves_tombstones_and_a_whole_chain_with_the_old_hash(leaked: Path) -> None:
    before = list(read_events(leaked))
    old = recording_hash(leaked)
    note = redact(leaked, Redactor(SecretFinder(KNOWN)), by="ada")

    assert not files_hold(leaked, KEY)
    assert note is not None
    assert note.old_sha256 == old
    assert note.names == ["SII_API_KEY"]
    result = verify(leaked)
    assert result.problems == []
    assert "cannot be proven" in result.notes[0]
    after = list(read_events(leaked))
    assert after[-1].data == note
    assert len(after) == len(before) + 1
    changed = [a.seq for a, b in zip(after, before, strict=False) if a.data != b.data]
    assert changed == note.seqs
    assert any("‹redacted:SII_API_KEY›" in str(event.data) for event in after)
    assert list(scan(leaked, SecretFinder(KNOWN))) == []
    assert redact(leaked, Redactor(SecretFinder(KNOWN)), by="ada") is None


def test_prompt_ids_that_spelled_the_secret_are_blanked_and_only_those(leaked: Path) -> None:
    redact(leaked, Redactor(SecretFinder(KNOWN)), by="ada")
    responses = [e.data for e in read_events(leaked) if isinstance(e.data, ModelResponse)]
    blanked = [
        response.prompt_ids is not None and set(response.prompt_ids.new) == {-1}
        for response in responses
    ]
    assert blanked == [False] * 8 + [True, False, False]
    assert len(restore(leaked).trail) == len(responses) * 40


def test_approvals_are_void_and_the_index_forgets_after_a_redaction(leaked: Path) -> None:
    add_review(leaked, "ada", verdict="approve")
    store = RecordingStore(leaked.parent)
    with RecordingIndex(store) as index:
        index.refresh()
        assert len(list(search(index, KEY))) == 1
    redact(leaked, Redactor(SecretFinder(KNOWN)), by="ada")
    assert standing(read_reviews(leaked), recording_hash(leaked)).state == "void"
    with RecordingIndex(store) as index:
        index.refresh()
        assert list(search(index, KEY)) == []
        assert len(list(search(index, "redacted"))) == 1


def test_the_index_forgets_the_words_of_that_recording_alone(leaked: Path) -> None:
    store = RecordingStore(leaked.parent)
    _, other = store.create_folder()
    record_session(other, rounds=1)
    with RecordingIndex(store) as index:
        index.refresh()
    redact(leaked, Redactor(SecretFinder(KNOWN)), by="ada")
    word = KEY.split("-")[1].lower().encode()
    assert not any(word in path.read_bytes() for path in store.root.glob(".index*"))
    with RecordingIndex(store) as index:
        assert index.refresh() == 1
        index.db.execute("INSERT INTO texts (texts) VALUES ('integrity-check')")
        assert {hit.id for hit in search(index, "ledger", limit=1000)} == {leaked.name, other.name}


def test_a_packed_recording_is_redacted(leaked: Path) -> None:
    pack(leaked)
    assert redact(leaked, Redactor(SecretFinder(KNOWN)), by="ada") is not None
    pack(leaked)
    assert verify(leaked).whole
    assert list(scan(leaked, SecretFinder(KNOWN))) == []


def test_a_forgery_before_a_redaction_is_still_found(leaked: Path) -> None:
    redact(leaked, Redactor(SecretFinder(KNOWN)), by="ada")
    prev, lines = "", []
    for event in read_events(leaked):
        data = event.data
        if event.seq == 1:
            data = data.model_copy(update={"text": "forged"})
        line, prev = encode_event(replace(event, data=data, prev=prev))
        lines.append(line + b"\n")
    (leaked / LOG).write_bytes(b"".join(lines))
    assert any("messages_sha256" in problem.what for problem in verify(leaked).problems)


PEM = "-----BEGIN EC PRIVATE KEY-----\n" + "QUJDREVG\n" * 30 + "-----END EC PRIVATE KEY-----"
GITHUB = "ghp_" + "a1B2" * 9


@pytest.mark.parametrize(
    ("secret", "left"),
    [
        (PEM, "‹redacted:PRIVATE_KEY›"),
        ("Authorization: Bearer " + "a1B2" * 8, "Authorization: Bearer ‹redacted:BEARER›"),
        (GITHUB, "‹redacted:GITHUB_TOKEN›"),
    ],
)
@pytest.mark.parametrize("pause", [0.01, 0.3, 0.7])
def test_a_form_of_secret_that_streams_slowly_is_not_written(
    secretive: Recorder, monkeypatch: pytest.MonkeyPatch, secret: str, left: str, pause: float
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for piece in [*["word "] * 14, *re.findall(r".{1,4}|\n", secret), *[" more"] * 30]:
        secretive.live(LiveDelta(1, "content", piece))
        now[0] += pause
    secretive.close()
    texts = [one.text for one in data_of(read_events(secretive.folder), ModelDelta)]
    assert "".join(texts) == "word " * 14 + left + " more" * 30


def test_a_value_in_quotes_is_found_by_its_name_in_an_event(leaked: Path) -> None:
    text = 'the file says:\napi_key = "x9Kq2mZ7wPb4"\n'
    observation = Observation(step=1, call_id="c", name="bash", text=text, seconds=0)
    kept = Redactor(SecretFinder()).data(observation)
    assert isinstance(kept, Observation)
    assert kept.text == 'the file says:\napi_key = "‹redacted:API_KEY›"\n'


def test_a_secret_among_numbers_is_found() -> None:
    details = {"new": [1, KEY, [2, {"x": [3, KEY]}]]}
    observation = Observation(step=1, call_id="c", name="bash", text="", seconds=0, details=details)
    assert KEY not in str(Redactor(SecretFinder(KNOWN)).data(observation))


def test_only_what_is_hardly_ever_wrong_is_looked_for_by_form() -> None:
    finder = SecretFinder(KNOWN, "patterns")
    text = f"{GITHUB} password='x9Kq2mZ7wPb4' https://ada:pa55word@db/x {KEY}"
    assert [secret.name for secret in finder.find(text)] == ["GITHUB_TOKEN", "SII_API_KEY"]


@pytest.mark.hostile
def test_a_blob_that_many_observations_name_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a recording of some megabytes would keep a scan of the whole home busy for days."""
    folder = tmp_path / "s"
    folder.mkdir()
    recorder = Recorder.create(folder, "s")
    recorder.record(session_start(), "harness")
    blob = recorder.put_blob(f"the key is {KEY}".encode())
    for _ in range(50):
        seen = Observation(step=1, call_id="c", name="bash", text="", full=blob, seconds=0)
        recorder.record(seen, "tool")
    recorder.close()
    reads: list[str] = []

    def noted(kind: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*of: Any) -> Any:
            reads.append(kind)
            return read(*of)

        return reading

    monkeypatch.setattr(rewrite, "open_blob", noted("scan", open_blob))
    monkeypatch.setattr(rewrite, "read_blob", noted("redact", read_blob))
    assert len([one for one in scan(folder, SecretFinder(KNOWN)) if one.in_blob]) == 50
    assert reads == ["scan"]
    redact(folder, Redactor(SecretFinder(KNOWN)), by="ada")
    assert reads == ["scan", "redact"]
    assert list(scan(folder, SecretFinder(KNOWN))) == []
    assert not files_hold(folder / "blobs", KEY)
