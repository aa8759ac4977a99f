"""Log probabilities beside a recording: one for each generated id, kept with it, never guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recordings.conversation.logprobs import read_logprobs
from recordings.events import ModelResponse, SummaryResponse
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact
from recordings.redaction.secrets import SecretFinder
from recordings.storage.log import LOG, read_events
from recordings.storage.pack import pack
from recordings.verify import verify
from sii_cli.model.assemble import Assembler
from sii_cli.model.http.sse import BadStream
from sii_cli.model.types import Completion
from tests.fakes.ids_model import IdsModel, logprob
from tests.sii_cli.session.test_ids_wire import data, look, said, settings_of, talk
from tests.sii_cli.shell import Shell

SECRET = "hunter2-" + "x9" * 8


async def record(home: Path, **values: Any) -> Path:
    settings = settings_of(home, "GLM-4.7", record_logprobs=True, temperature=0.7, **values)
    model = IdsModel("GLM-4.7", look("GLM-4.7", f"It is {SECRET}."), said("GLM-4.7"))
    return await talk(settings, model, "Look.")


def kept(folder: Path) -> list[list[float]]:
    found = [one.logprobs for one in data(folder, ModelResponse)]
    assert {(one.model, one.temperature) for one in found} == {("glm-ids", 0.7)}
    return [read_logprobs(folder, one) for one in found]


async def test_each_generated_id_has_one(tmp_path: Path) -> None:
    path = await record(tmp_path)
    responses = data(path, ModelResponse)
    assert kept(path) == [[*map(logprob, one.generated_ids)] for one in responses]
    assert verify(path).whole
    assert verify(path).blobs == 2
    pack(path)
    assert kept(path) == [[*map(logprob, one.generated_ids)] for one in responses]


async def test_nothing_is_asked_for_and_kept_by_default(tmp_path: Path) -> None:
    model = IdsModel("GLM-4.7", said("GLM-4.7"))
    path = await talk(settings_of(tmp_path, "GLM-4.7"), model, "Look.")
    assert "logprobs" not in model.asked[0].params
    assert b"logprobs" not in (path / LOG).read_bytes().replace(b"record_logprobs", b"")
    assert not (path / "blobs").exists()


async def test_those_of_a_summary_are_kept_too(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "GLM-4.7", record_logprobs=True)
    model = IdsModel("GLM-4.7", look("GLM-4.7"), said("GLM-4.7"), said("GLM-4.7", "## Task\nLook."))
    path = await talk(settings, model, "Look.", compact=True)
    [summary] = data(path, SummaryResponse)
    values = read_logprobs(path, summary.logprobs)
    assert values == [*map(logprob, summary.generated_ids)]
    assert verify(path).whole


async def test_a_fork_has_those_that_it_shares(shell: Shell) -> None:
    parent = await record(shell.home)
    first = next(e.seq for e in read_events(parent) if isinstance(e.data, ModelResponse))
    done = shell.sii("fork", "last", "--at", str(first))
    assert done.returncode == 0, done.stderr
    child = shell.store.root / done.stdout.strip()
    assert kept(child) == kept(parent)[:1]
    assert verify(child).whole


async def test_they_stay_when_a_secret_is_removed(tmp_path: Path) -> None:
    path = await record(tmp_path)
    before = kept(path)
    assert redact(path, Redactor(SecretFinder({"TOKEN": SECRET})), by="ann") is not None
    assert kept(path) == before
    assert verify(path).whole


async def test_one_that_is_missing_is_noticed(tmp_path: Path) -> None:
    path = await record(tmp_path)
    short = data(path, ModelResponse)[0].logprobs.values
    log = path / LOG
    other = log.read_bytes().replace(f'"size":{short.size}'.encode(), b'"size":8', 1)
    log.write_bytes(other)
    assert any("log probabilities for" in one.what for one in verify(path).problems)


CHUNKS: dict[str, list[dict[str, Any]]] = {
    "chat": [{"content": [{"logprob": -0.5}]}, {"content": [{"logprob": -2}, {"logprob": 0.0}]}],
    "completion": [{"token_logprobs": [-0.5]}, {"token_logprobs": [-2, 0.0]}],
}


def completed(*logprobs: Any) -> Completion:
    made = Assembler(logprobs=True)
    ids = ([1], [2, 3])
    for number, one in enumerate(logprobs):
        choice = {"delta": {"content": "x"}, "token_ids": ids[number], "logprobs": one}
        list(made.add({"choices": [choice]}))
    list(made.add({"choices": [{"delta": {}, "finish_reason": "stop"}]}))
    return made.completion(attempt=1, first_chunk=None, first_token=None, total=0.0, chunks=1)


@pytest.mark.parametrize("form", CHUNKS)
def test_both_forms_of_a_server_are_read(form: str) -> None:
    done = completed(*CHUNKS[form])
    assert done.logprobs == [-0.5, -2, 0.0]
    assert "logprobs_missing" not in done.flags


@pytest.mark.parametrize(
    "second", [None, {}, {"content": None}, {"token_logprobs": [-1]}, {"token_logprobs": [-1] * 3}]
)
def test_too_few_or_too_many_are_flagged_and_not_kept(second: Any) -> None:
    done = completed({"token_logprobs": [-1]}, second)
    assert done.logprobs is None
    assert "logprobs_missing" in done.flags


@pytest.mark.parametrize("odd", ["-1", None, True, 1e39, 10**400, [0.5], {}])
def test_what_is_not_a_number_is_a_bad_stream(odd: Any) -> None:
    for found in ({"token_logprobs": [odd]}, {"content": [{"logprob": odd}]}):
        with pytest.raises(BadStream):
            completed(found)
