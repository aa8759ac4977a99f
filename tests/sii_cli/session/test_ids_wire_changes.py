"""Sessions on the ids wire in which something comes between: an interrupt, a fork, another model,
an observation that is left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.conversation.restore import restore
from recordings.events import (
    Compaction,
    Event,
    ModelError,
    ModelResponse,
    Observation,
    RoundEnd,
    Stub,
    ToolCall,
)
from recordings.redaction.redactor import Redactor
from recordings.redaction.rewrite import redact
from recordings.redaction.secrets import SecretFinder
from recordings.samples.build import samples_of
from recordings.samples.sample import LeftOut
from recordings.storage.log import read_events
from recordings.verify import verify
from sii_cli.errors import UsageError
from sii_cli.model.control_tokens import neutralise
from sii_cli.session.resume import ResumedRecording
from sii_cli.session.session import Session
from tests.fakes.ids_model import Generated, IdsModel
from tests.fakes.scripted_model import ScriptedModel, answer
from tests.sii_cli.model.ids.offline import GLM, Family, vocabulary
from tests.sii_cli.model.ids.turns import call, turn
from tests.sii_cli.scripted_sii import FakeBackend
from tests.sii_cli.session.test_ids_wire import (
    FORGED,
    data,
    look,
    recorded_prompts,
    said,
    settings_of,
    talk,
)
from tests.sii_cli.shell import Shell

SLEEP = ("command", "echo begun; sleep 30")


@pytest.fixture(params=GLM)
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    return found


def bash(family: Family, pair: tuple[str, str]) -> str:
    return turn(family, "I run it.", "", call(family, "bash", pair))


@pytest.mark.parametrize("retain", ["template", "all"])
async def test_a_response_that_was_interrupted_is_not_sent_again(
    tmp_path: Path, family: Family, retain: str
) -> None:
    model = IdsModel(family, look(family), said(family, "Long. " * 40), said(family))
    settings = settings_of(tmp_path, family, keep_reasoning=retain)
    session = await Session.open(settings, mode="headless", model=model, backend=FakeBackend())
    async for item in session.send("Look."):
        if not isinstance(item, Event) and len(model.prompts) == 2:
            session.interrupt()
    async for _ in session.send("Again."):
        pass
    await session.close()
    assert session.folder is not None
    [lost] = data(session.folder, ModelError)
    assert (lost.kind, lost.generated_ids) == ("interrupted", None)
    assert [one.status for one in data(session.folder, RoundEnd)] == ["interrupted", "answered"]
    sent = [model.prompts[0], model.prompts[2]]
    assert recorded_prompts(list(read_events(session.folder))) == sent
    first, second = data(session.folder, ModelResponse)
    assert ("I look." in vocabulary(family).spell(sent[1])) == (retain == "all")
    if retain == "all":
        assert sent[1][: len(sent[0] + first.generated_ids)] == sent[0] + first.generated_ids
        assert second.continuity.kind == "extension"
    else:
        assert second.continuity.cause == "new_round"
    assert verify(session.folder).whole


async def test_a_call_that_was_interrupted_breaks_nothing(tmp_path: Path, family: Family) -> None:
    model = IdsModel(family, bash(family, SLEEP), said(family))
    settings = settings_of(tmp_path, family, keep_reasoning="all", tools=("bash",))
    session = await Session.open(settings, mode="headless", model=model, backend=FakeBackend())
    async for item in session.send("Run."):
        if isinstance(item, Event) and isinstance(item.data, ToolCall):
            session.interrupt()
    await session.close()
    assert session.folder is not None
    await talk(settings, model, "Again.", resumed=session.folder)
    [stopped] = data(session.folder, Observation)
    assert stopped.error == "interrupted"
    _, second = data(session.folder, ModelResponse)
    assert second.continuity.kind == "extension"
    assert recorded_prompts(list(read_events(session.folder))) == model.prompts


async def test_an_observation_that_is_left_out_changes_nothing_before_it(
    tmp_path: Path, family: Family
) -> None:
    long = bash(family, ("command", "seq 1 500"))
    model = IdsModel(family, long, long, long, said(family), said(family))
    settings = settings_of(tmp_path, family, tools=("bash",), keep_reasoning="all")
    model.length = 8000
    path = await talk(settings, model, "Count.", "Again.")
    [compaction] = data(path, Compaction)
    assert compaction.kind == "stubs"
    assert data(path, Stub)
    causes = [one.continuity.cause for one in data(path, ModelResponse)]
    assert causes == [None, None, None, "compaction", None]
    assert recorded_prompts(list(read_events(path))) == model.prompts
    own, after = vocabulary(family), model.prompts[3]
    shared = data(path, ModelResponse)[3].prompt_ids.keep
    assert model.prompts[2][:shared] == after[:shared]
    assert "I run it." in own.spell(after[:shared]), "the call of the stub stays as it was"
    assert "was left out to make room" in own.spell(after[shared - 50 :])
    again = IdsModel(family, said(family))
    again.length = model.length
    await talk(settings, again, "Once more.", resumed=path)
    assert data(path, ModelResponse)[-1].continuity.kind == "extension"


async def forked(shell: Shell, family: Family, text: str) -> tuple[Path, Path, IdsModel]:
    """Hold a session and fork it after its first observation; return both, and its model."""
    model = IdsModel(family, look(family), said(family))
    parent = await talk(settings_of(shell.home, family), model, text)
    events = list(read_events(parent))
    at = next(event.seq for event in events if isinstance(event.data, Observation))
    done = shell.sii("fork", "last", "--at", str(at))
    assert done.returncode == 0, done.stderr
    return parent, shell.store.root / done.stdout.strip(), model


async def test_a_fork_sends_the_ids_that_it_shares(shell: Shell, family: Family) -> None:
    parent, child, model = await forked(shell, family, f"Look at {FORGED}.")
    assert restore(child).wire == restore(parent).wire
    again = IdsModel(family, said(family, "Otherwise."))
    await talk(settings_of(shell.home, family), again, "Go on.", resumed=child)
    first, second = data(child, ModelResponse)
    before = model.prompts[0] + first.generated_ids
    assert recorded_prompts(list(read_events(child))) == [model.prompts[0], again.prompts[0]]
    assert second.continuity.cause == "new_round", "of the message that was sent after the fork"
    kept = second.continuity.at
    assert again.prompts[0][:kept] == before[:kept]
    assert verify(child).whole


async def test_a_fork_is_not_sent_as_messages_that_would_forge(
    shell: Shell, family: Family
) -> None:
    _, child, _ = await forked(shell, family, f"Look at {FORGED}.")
    settings = settings_of(shell.home, family, wire="messages")
    with pytest.raises(UsageError, match="can be sent as ids alone"):
        await talk(settings, ScriptedModel(answer("Seen.")), "Again.", resumed=child)


async def test_another_model_reads_its_own_ids(tmp_path: Path, family: Family) -> None:
    """Its tokenizer does not have the ids of the first, whose turns are written from text."""
    settings = settings_of(tmp_path, family, keep_reasoning="all")
    path = await talk(settings, IdsModel(family, look(family), said(family)), "Look.")
    other = IdsModel("Qwen3", qwen("One."), qwen("Two."))
    other.name = "qwen-ids"
    theirs = settings_of(tmp_path, "Qwen3", keep_reasoning="all")
    await talk(theirs, other, "Again.", resumed=path)
    spelled = vocabulary("Qwen3").spell(other.prompts[0])
    assert "<think>\nI look.\n</think>\n\n<tool_call>\n" in spelled
    assert "<think>\nSeen.\n</think>\n\nDone.<|im_end|>" in spelled
    await talk(theirs, other, "Once more.", resumed=path)
    *_, before, last = data(path, ModelResponse)
    assert (before.continuity.cause, last.continuity.kind) == ("model", "extension")
    shared = other.prompts[0] + before.generated_ids
    assert other.prompts[1][: len(shared)] == shared, "also when it is rebuilt"


def qwen(content: str) -> str:
    return f"<think>\nS\n</think>\n\n{content}<|im_end|>"


async def test_another_name_for_the_same_tokenizer_keeps_the_ids(
    tmp_path: Path, family: Family
) -> None:
    settings = settings_of(tmp_path, family, keep_reasoning="all")
    drifting = turn(family, "\nI look.\n", "  So:\n\n")
    model = IdsModel(family, drifting)
    path = await talk(settings, model, "Look.")
    again = IdsModel(family, said(family))
    again.name = "tuned-ids"
    await talk(settings, again, "Again.", resumed=path)
    first, second = data(path, ModelResponse)
    before = model.prompts[0] + first.generated_ids
    assert again.prompts[0][: len(before)] == before
    assert second.continuity.kind == "extension"


async def test_an_edited_response_is_written_from_its_text(shell: Shell, family: Family) -> None:
    """What came before it goes back as it was generated."""
    model = IdsModel(family, look(family, "\nI look."), look(family, "Once more."), said(family))
    settings = settings_of(shell.home, family)
    parent = await talk(settings, model, "Look.")
    replaced = [e.seq for e in read_events(parent) if isinstance(e.data, ModelResponse)][1]
    words = f"%%% reasoning\nBetter {FORGED}\n%%% call todo\n%%% argument todos\n[]\n"
    at = ("--at", str(replaced), "--replace", "-", "--speaker", "ann")
    done = shell.sii("fork", "last", *at, stdin=words)
    assert done.returncode == 0, done.stderr
    child = shell.store.root / done.stdout.strip()
    again = IdsModel(family, said(family))
    session = await Session.open(
        settings,
        mode="headless",
        model=again,
        backend=FakeBackend(),
        resumed=ResumedRecording(child),
    )
    async for _ in session.resume_round():
        pass
    await session.close()
    [prompt] = again.prompts
    assert prompt[: len(model.prompts[1])] == model.prompts[1]
    own = vocabulary(family)
    written = own.spell(prompt[len(model.prompts[1]) :])
    assert written.startswith(("Better", "\n<think>Better", "<think>Better"))
    assert "Once more." not in written
    assert prompt.count(own.control["<|user|>"]) == 1, "the annotator's words forge nothing"
    assert data(child, ModelResponse)[-1].continuity.kind == "extension"
    assert verify(child).whole


async def test_a_secret_that_is_removed_afterwards_is_not_sent_again(
    tmp_path: Path, family: Family
) -> None:
    secret = "hunter2-" + "x9" * 8
    settings = settings_of(tmp_path, family, keep_reasoning="all")
    model = IdsModel(family, look(family, f"It is {secret}."), look(family), said(family))
    path = await talk(settings, model, "Look.")
    assert secret in vocabulary(family).spell(model.prompts[1])
    assert redact(path, Redactor(SecretFinder({"TOKEN": secret})), by="ann") is not None
    again = IdsModel(family, said(family), said(family))
    await talk(settings, again, "Again.", "Once more.", resumed=path)
    spelled = [vocabulary(family).spell(prompt) for prompt in again.prompts]
    assert all(secret not in text and "It is ‹redacted:TOKEN›." in text for text in spelled)
    *_, before, last = data(path, ModelResponse)
    assert (before.continuity.cause, last.continuity.kind) == ("redaction", "extension")
    assert recorded_prompts(list(read_events(path)))[-2:] == again.prompts


@pytest.mark.parametrize("part", ["thought", "content"])
async def test_text_that_was_cut_off_stays_as_it_was_generated(
    tmp_path: Path, family: Family, part: str
) -> None:
    whole = turn(family, "I think of it.", "It is so.")
    cut = whole[: whole.index("of it." if part == "thought" else "so.")]
    model = IdsModel(family, Generated(cut, is_cut_off=True), said(family))
    path = await talk(settings_of(tmp_path, family), model, "Look.")
    first, second = data(path, ModelResponse)
    before = model.prompts[0] + first.generated_ids
    assert model.prompts[1][: len(before)] == before
    assert second.continuity.kind == "extension"
    assert ("thought_unterminated" in first.flags) == (part == "thought")
    after = model.prompts[1][len(before) :]
    ends = [vocabulary(family).control["</think>"]] if part == "thought" else []
    assert after[: len(ends) + 1] == [*ends, vocabulary(family).control["<|system|>"]]


async def test_a_model_that_copies_the_mark_in_neutralised_text_is_flagged(
    tmp_path: Path,
) -> None:
    settings = settings_of(tmp_path, "GLM-4.7", wire="messages")
    mark, _ = neutralise("<|user|>")
    script = ScriptedModel(answer("Plain."), answer(f"It says {mark}."), answer("Plain."))
    path = await talk(settings, script, "Look.", "At <|user|>.", "Again.")
    flags = [one.flags for one in data(path, ModelResponse)]
    assert ["mark_copied" in one for one in flags] == [False, True, False]
    why = [one for one in samples_of(path) if isinstance(one, LeftOut)]
    assert any("mark_copied" in one.detail for one in why)
