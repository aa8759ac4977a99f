"""Several reviewers: what `review.toml` makes of their verdicts, in every command that shows it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from recordings.events import SessionResume, UserMessage
from recordings.recorder import Recorder
from recordings.reviews.protocol import ReviewProtocol, Role
from recordings.reviews.reviews import add_review, read_reviews
from tests.sii_cli.shell import Done, Shell


@pytest.fixture
def folder(shell: Shell) -> Path:
    return shell.recorded(rounds=1, steps=2)


def protocol(shell: Shell, text: str) -> None:
    shell.home.mkdir(exist_ok=True)
    (shell.home / "review.toml").write_text(text)


def approve(shell: Shell, who: str, **env: str) -> Done:
    return shell.sii("approve", "last", "--speaker", who, **env)


def reject(shell: Shell, who: str) -> Done:
    return shell.sii("reject", "last", "--why", "it cheats", "--speaker", who)


def listed(shell: Shell, *args: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in shell.sii("list", "--json", *args).stdout.splitlines()]


def export(shell: Shell, *args: str, **env: str) -> Done:
    return shell.sii("export", "data", "--format", "messages", "--license", "mit", *args, **env)


def test_one_approves_and_one_rejects_is_disputed_and_not_exported(
    shell: Shell, folder: Path
) -> None:
    assert approve(shell, "ada").stdout == f"{folder.name}  is approved\n"
    assert reject(shell, "bob").stdout == (
        f"{folder.name}  is disputed (2 reviewers, policy undisputed; waits for its reviewers to "
        "agree)\n"
    )
    assert "  disputed: " in shell.sii("list").stdout
    assert [one["id"] for one in listed(shell, "--approval", "disputed")] == [folder.name]
    assert listed(shell, "--approval", "approved") == []
    assert "disputed 1" in shell.sii("stats").stdout
    assert "  disputed  " in shell.sii("tree", "last").stdout
    done = export(shell)
    assert done.returncode == 1
    assert "no recording is approved: disputed 1" in done.stderr
    assert not (shell.workspace / "data").exists()
    assert approve(shell, "bob").stdout.startswith(f"{folder.name}  is approved (2 reviewers")
    assert export(shell).returncode == 0


def test_export_takes_another_policy_and_its_card_says_which(shell: Shell, folder: Path) -> None:
    for who in ("ada", "cyd"):
        approve(shell, who)
    reject(shell, "bob")
    assert export(shell).returncode == 1
    assert export(shell, "--policy", "all").returncode == 1
    done = export(shell, "--policy", "majority")
    assert done.returncode == 0, done.stderr
    card = (shell.workspace / "data" / "README.md").read_text()
    assert "| review policy | majority |" in card
    assert "| recordings on which a reviewer is of another opinion | 1 |" in card
    manifest = json.loads((shell.workspace / "data" / "manifest.json").read_text())
    assert manifest["review"]["policy"] == "majority"
    assert [one["dissent"] for one in manifest["recordings"]] == [["bob"]]
    (row,) = (shell.workspace / "data" / "provenance.jsonl").read_text().splitlines()
    assert (json.loads(row)["approval"], json.loads(row)["dissent"]) == ("approved", ["bob"])


def test_the_file_of_the_home_says_the_policy(shell: Shell, folder: Path) -> None:
    protocol(shell, 'policy = "majority"')
    for who in ("ada", "cyd"):
        approve(shell, who)
    assert reject(shell, "bob").stdout == (
        f"{folder.name}  is approved (3 reviewers, policy majority; of another opinion: bob)\n"
    )
    assert "  approved (1 of another opinion): " in shell.sii("list").stdout
    (one,) = listed(shell, "--approval", "approved")
    assert (one["reviewers"], one["dissent"]) == (["ada", "cyd", "bob"], ["bob"])
    assert export(shell).returncode == 0


def test_a_recording_waits_for_as_many_reviewers_as_the_protocol_wants(
    shell: Shell, folder: Path
) -> None:
    protocol(shell, "reviewers = 3")
    assert approve(shell, "ada").stdout == (
        f"{folder.name}  is in review (waits for 2 more reviewers)\n"
    )
    approve(shell, "bob")
    assert "waits for 1 more reviewer)" in shell.sii("reviews", "last").stdout
    assert [one["approval"] for one in listed(shell)] == ["in_review"]
    assert "  in review: " in shell.sii("list").stdout
    assert "is approved (3 reviewers" in approve(shell, "cyd").stdout


def test_an_adjudicator_decides(shell: Shell, folder: Path) -> None:
    protocol(shell, 'policy = "adjudicated"\nadjudicators = ["lea"]')
    assert "is in review (waits for 1 more reviewer)" in approve(shell, "ada").stdout
    assert "is disputed" in reject(shell, "bob").stdout
    assert "waits for the verdict of an adjudicator (lea)" in shell.sii("reviews", "last").stdout
    assert "is rejected" in reject(shell, "lea").stdout
    assert read_reviews(folder)[-1].role == "adjudicator"
    assert "lea (adjudicator) rejects: it cheats" in shell.sii("reviews", "last").stdout


def test_nobody_judges_a_session_they_spoke_in(shell: Shell, folder: Path) -> None:
    recorder = Recorder.resume(folder, key=shell.key)
    resumed = SessionResume(
        sii_version="0", model="GLM", base_url="http://m", settings={"speaker": "ada"}
    )
    recorder.record(resumed, "harness")
    recorder.record(UserMessage(round=2, text="and now the tests"), "human")
    recorder.close()
    done = approve(shell, "ada")
    assert done.returncode == 0
    assert done.stdout == f"{folder.name}  is not judged yet\n"
    assert (
        f"A verdict of ada on {folder.name} does not count, because ada spoke in the session, "
        "edited it or wrote its query: another person reviews it. If you work alone, "
        "`sii export --all` needs no approval." in done.stderr
    )
    (one,) = listed(shell)
    assert (one["approval"], one["reviewers"]) == ("unreviewed", ["ada"])
    assert "is approved" in approve(shell, "bob").stdout
    assert [one["approval"] for one in listed(shell)] == ["approved"]
    before, _, _ = shell.sii("review", "last", "--speaker", "ada").stderr.partition("— event")
    assert "A verdict of ada" in before
    assert "A verdict of bob" not in shell.sii("review", "last", "--speaker", "bob").stderr
    done = shell.sii("review", "--speaker", "ada")
    assert "Nothing waits for you now (--again" in done.stderr
    done = shell.sii("review", "--speaker", "ada", "--again")
    assert "no recording matches that ada may judge." in done.stderr


@pytest.mark.parametrize("role", ["model", "check", "practitioner"])
def test_a_verdict_of_a_machine_or_of_the_practitioner_approves_nothing(
    shell: Shell, folder: Path, role: Role
) -> None:
    add_review(folder, "glm-judge", role=role, verdict="approve", key=shell.key)
    assert [one["approval"] for one in listed(shell)] == ["unreviewed"]
    assert "does not count, because of its role" in shell.sii("reviews", "last").stderr
    if role != "practitioner":
        protocol(shell, f'machines = ["{role}"]')
        assert [one["approval"] for one in listed(shell)] == ["approved"]


def test_a_setting_of_before_is_read_and_names_the_new_place(shell: Shell, folder: Path) -> None:
    approve(shell, "ada")
    reject(shell, "bob")
    shell.home.joinpath("config.toml").write_text('approval_policy = "any"\n')
    done = shell.sii("list", "--approval", "approved")
    assert folder.name in done.stdout
    config, path = shell.home / "config.toml", shell.home / "review.toml"
    assert done.stderr == (
        f"sii: {config}: approval_policy is replaced by `policy` in review.toml; write "
        f'`policy = "any"` into {path}, and remove the setting.\n'
    )
    assert "is rejected" in shell.sii("reviews", "last", SII_APPROVAL_POLICY="all").stdout
    protocol(shell, 'policy = "undisputed"')
    done = shell.sii("reviews", "last")
    assert "is disputed" in done.stdout
    assert f"{path} holds: remove the setting." in done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('policy = "most"', "policy wants one of undisputed, any, all, majority, adjudicated"),
        ("reviewers = 0", "reviewers wants a number from 1 to 100"),
        ("reviewers = true", "reviewers wants a number from 1 to 100"),
        ('adjudicators = "lea"', "adjudicators wants a list of pseudonyms"),
        ("adjudicators = [1]", "adjudicators wants a list of pseudonyms"),
        ('machines = ["reviewer"]', 'machines wants a list of "model" and "check"'),
        ("machines = [[]]", 'machines wants a list of "model" and "check"'),
        ('polices = "any"', "unknown field 'polices'; did you mean policy?"),
        ("policy = ", "Invalid value"),
        ("\x00", "cannot be read"),
        ("a = " + "[" * 5000, "too many nested brackets"),
        ("#" * ((1 << 16) + 1), "review.toml"),
    ],
)
def test_a_protocol_that_is_none_is_one_sentence_and_keeps_nothing(
    shell: Shell, folder: Path, text: str, says: str
) -> None:
    protocol(shell, text)
    done = approve(shell, "ada")
    assert done.returncode == 4
    assert says in done.stderr
    assert str(shell.home / "review.toml") in done.stderr
    assert done.stderr.count("\n") == 1
    assert read_reviews(folder) == []


def test_a_pipe_or_a_folder_in_its_place_is_named(shell: Shell, folder: Path) -> None:
    (shell.home / "review.toml").mkdir()
    done = shell.sii("list")
    assert done.returncode == 4
    assert "review.toml" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_hash_of_the_guideline_is_in_each_review(shell: Shell, folder: Path) -> None:
    (shell.home / "guideline.md").write_text("# Judge the answer, not the style\n")
    approve(shell, "ada")
    (kept,) = read_reviews(folder)
    assert kept.guideline is not None
    assert len(kept.guideline) == 64


def test_the_protocol_of_a_batchs_folder_rules_nothing(
    shell: Shell, folder: Path, tmp_path: Path
) -> None:
    """A folder that came from elsewhere is looked at; the user's own home says what approves."""
    approve(shell, "ada")
    reject(shell, "bob")
    batch = tmp_path / "batch"
    batch.mkdir()
    (batch / "batch.json").write_text("{}")
    (batch / "review.toml").write_text('policy = "any"\nmachines = ["model", "check"]')
    folder.parent.rename(batch / "recordings")
    env = {"SII_HOME": str(batch), "SII_KEY_HOME": str(shell.home)}
    assert "is disputed" in shell.sii("reviews", "last", **env).stdout
    assert export(shell, **env).returncode == 1


def test_the_example_of_the_guide_is_a_protocol(shell: Shell) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guides" / "review.md").read_text()
    blocks = [one.split("```")[0] for one in guide.split("```toml\n")[1:]]
    (example,) = (one for one in blocks if one.startswith("policy"))
    assert set(tomllib.loads(example)) == {field.name for field in fields(ReviewProtocol)}
    protocol(shell, example)
    assert shell.sii("list").returncode == 0
