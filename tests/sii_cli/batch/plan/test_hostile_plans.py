"""A foreign batch folder: it is not resumed as if it were the user's own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from recordings.trust.home_key import home_key
from sii_cli.batch.plan.pinned import load_pinned, pin
from sii_cli.batch.plan.plan import BatchPlan, pinned_settings, sha256_of
from sii_cli.config.settings import BATCH_FILE, Settings
from sii_cli.queries.queries import Query
from sii_cli.queries.workspaces.copies import remove_leftover_copies
from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.sii_cli.queries.test_hostile_query_files import Attacked
from tests.sii_cli.shell import Shell

pytestmark = pytest.mark.hostile

QUERIES = [Query(id="a", query="steps=1")]


class Received(Attacked):
    """A user who got a batch's folder from somebody."""

    def plant(self, queries: list[Query] = QUERIES, **changes: Any) -> None:
        """Write a batch's folder as another installation would; `changes` are of its settings."""
        settings = pinned_settings(Settings(tools=("bash", "python"))) | changes.pop("settings", {})
        plan = {
            "name": "theirs",
            "query_file": "",
            "query_folder": str(self.files),
            "queries_sha256": sha256_of(queries),
            "attempts": 1,
            "vary": {},
            "feedback_rounds": 0,
            "simulated_user": None,
            "settings": settings,
        } | changes
        self.out.mkdir(exist_ok=True)
        pin(self.out, BatchPlan(**plan), queries, home_key(self.folder / "their-home"))

    def refused(self, *arguments: str) -> str:
        """Resume it in this process, where no session is to be begun."""
        before = tree(self.out)
        done = self.shell.sii("batch", "--resume", str(self.out), *arguments)
        assert done.returncode == 2, done.stderr
        assert self.server.answered == 0
        assert tree(self.out) == before
        return done.stderr


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Everything that is there, with its size and the time of its last change."""
    found = [folder, *folder.rglob("*")]
    return {str(one): (one.lstat().st_size, one.lstat().st_mtime_ns) for one in found}


@pytest.fixture
def place(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    with in_a_thread(BatchServer()) as server:
        made = Received(tmp_path, server, shell)
        monkeypatch.setenv("HOME", str(made.user))
        monkeypatch.setenv("SII_BASE_URL", server.base_url)
        yield made


@pytest.mark.parametrize(
    ("settings", "kind", "shown"),
    [
        ({"mounts": ["/etc:/mnt/etc"]}, "mounts", "/etc:/mnt/etc"),
        ({"mounts": ["/nowhere:/mnt/x"]}, "mounts", "/nowhere:/mnt/x"),
        ({"allow_net": ["evil.example"]}, "net", "evil.example"),
        ({"image": "evil:latest"}, "image", "evil:latest"),
        ({"env": ["AWS_SECRET_ACCESS_KEY"]}, "env", "with the value that it has here"),
        ({"sandbox": "bubblewrap"}, "settings", "sandbox = bubblewrap"),
        ({"system_prompt": "/etc/passwd"}, "settings", "system_prompt = /etc/passwd"),
        ({"tokenizer": "/etc/passwd"}, "settings", "tokenizer = /etc/passwd"),
        ({"searxng_url": "http://10.0.0.1"}, "settings", "searxng_url = http://10.0.0.1"),
        ({"redact": "known"}, "settings", "redact = known"),
        ({"speaker": "ann"}, "settings", "speaker = ann"),
    ],
)
def test_what_a_planted_plan_asks_for_is_listed_and_refused(
    place: Received,
    settings: dict[str, Any],
    kind: str,
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    place.plant(settings=settings)
    told = place.refused()
    assert shown in told
    assert f"say --allow {kind}." in told
    assert "s3cret" not in told


@pytest.mark.parametrize("steps", [100_000, "100000"])
def test_a_limit_above_ones_own_in_its_variants_is_asked_for(
    place: Received, steps: int | str
) -> None:
    place.plant(vary={"max_steps": [1, steps]})
    told = place.refused("--max-steps", "5")
    assert "max_steps = 100000" in told
    assert "max_steps = 1\n" not in told
    assert "say --allow settings." in told


def test_variants_within_ones_own_limits_are_not_asked_for(place: Received) -> None:
    place.plant(vary={"max_steps": [1, 5], "seed": [1]})
    assert "2 of 2 sessions" in place.run("--resume", "out", "--max-steps", "5")


def test_its_folder_of_queries_is_asked_for(place: Received) -> None:
    queries = [Query(id="a", query="steps=1", workspace="id_rsa")]
    place.plant(queries, query_folder=str(place.user / ".ssh"))
    assert str(place.user / ".ssh") in place.refused()
    place.plant(queries, query_folder=str(place.user))
    place.plant([Query(id="a", query="x", workspace=".ssh")], query_folder=str(place.user))
    assert str(place.user / ".ssh") in place.refused()


def test_where_the_key_goes_is_not_its_word(place: Received) -> None:
    with in_a_thread(BatchServer()) as evil:
        place.plant(settings={"base_url": evil.base_url, "api_key": "x", "home": "/", "other": 1})
        place.run("--resume", "out", "--accept-changes")
        assert evil.answered == 0
    assert place.server.answered > 0
    place.check_every_session_counts_once(1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"vary": {"base_url": ["http://evil.example/v1"]}},
        {"vary": {"mounts": [["/etc:/mnt/etc"]]}},
        {"vary": {"temperature": [["x"]]}},
        {"vary": {"seed": []}},
        {"attempts": 0},
        {"attempts": 10**12},
        {"attempts": "1"},
        {"feedback_rounds": -1},
        {"settings": ["x"]},
        {"allowed": [["paths"]]},
        {"name": 5},
    ],
)
def test_a_plan_that_none_of_us_would_make_is_damaged(
    place: Received, changes: dict[str, Any]
) -> None:
    place.plant()
    path = place.out / BATCH_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert "is damaged: put it back" in place.refused()


def test_limits_are_lowered_and_what_opens_nothing_is_taken(place: Received) -> None:
    place.plant(
        settings={"memory": 1 << 50, "max_steps": 5, "temperature": 0.5, "output_size": 1 << 27},
        allowed=[("paths", "/")],
    )
    (place.out / "runs.json").write_text(json.dumps([{"began": 1.0, "concurrency": 5000}]))
    place.run("--resume", "out")
    place.check_every_session_counts_once(1, 1)
    pinned = load_pinned(place.out, home_key(place.folder / "home"))
    assert pinned.own, "with the user's word it is the user's batch"
    taken = pinned.plan.settings
    assert (taken["memory"], taken["max_steps"], taken["temperature"]) == (4 << 30, 5, 0.5)
    assert pinned.plan.allowed == []
    assert place.report()["runs"][-1]["concurrency"] == 8


def test_allowed_by_name_it_goes_on(place: Received) -> None:
    place.plant(settings={"image": "theirs:1"})
    place.run("--resume", "out", "--allow", "image")
    place.check_every_session_counts_once(1, 1)
    place.run("--resume", "out")


def test_ones_own_plan_that_was_changed_is_not_ones_own(place: Received) -> None:
    key = home_key(place.folder / "home")
    place.plant()
    pinned = load_pinned(place.out, None)
    pin(place.out, pinned.plan, pinned.queries, key)
    assert load_pinned(place.out, key).own
    shutil.copytree(place.out, place.folder / "moved")
    assert load_pinned(place.folder / "moved", key).own, "a batch may be moved"
    path = place.out / BATCH_FILE
    body = json.loads(path.read_text())
    changed = body | {"settings": body["settings"] | {"mounts": ["/etc:/mnt/etc"]}}
    path.write_text(json.dumps(changed))
    assert not load_pinned(place.out, key).own
    assert "mounts" in place.refused()
    path.write_text(json.dumps(body))
    (place.out / "queries.jsonl").write_text('{"id": "a", "query": "x", "workspace": "/etc"}\n')
    assert not load_pinned(place.out, key).own
    assert "/etc" in place.refused()


@pytest.mark.parametrize("name", ["workspaces", "recordings", "log.txt", "lock", "report.md"])
def test_a_link_in_it_is_refused_and_what_it_leads_to_is_left_alone(
    place: Received, name: str
) -> None:
    target = place.folder / "precious"
    (target / "a-12345678").mkdir(parents=True)
    (target / "a-12345678" / "file").write_text("x")
    place.plant()
    (place.out / name).symlink_to(target if name in ("workspaces", "recordings") else target / "f")
    assert f"{name} is a link" in place.refused()
    assert [str(one.relative_to(target)) for one in target.rglob("file")] == ["a-12345678/file"]
    (place.out / BATCH_FILE).unlink()  # and as a folder to begin one in
    file = place.write({"id": "a"})
    done = place.shell.sii("batch", str(file), "--out", str(place.out))
    assert (done.returncode, "is a link" in done.stderr) == (2, True)
    assert (target / "a-12345678" / "file").exists()


def test_only_copies_that_this_batch_made_are_removed(tmp_path: Path) -> None:
    parent = tmp_path / "workspaces"
    names = ["a-1234abcd", "a-b-12345678", "a", "notes", "a-123", "c-12345678", "a-12345678.txt"]
    for name in names:
        (parent / name).mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "x-y").mkdir(parents=True)
    (parent / ".repositories").symlink_to(elsewhere)
    remove_leftover_copies(parent, ["a", "a-b"])
    assert (elsewhere / "x-y").exists()
    (parent / ".repositories").unlink()
    remove_leftover_copies(parent, ["a", "a-b"])
    assert sorted(os.listdir(parent)) == ["a", "a-123", "a-12345678.txt", "c-12345678", "notes"]


@pytest.mark.parametrize("trap", [None, lambda path: os.mkfifo(path), lambda path: path.mkdir()])
def test_looking_at_it_only_reads(
    place: Received, trap: Callable[[Path], None] | None, capfd: Any
) -> None:
    place.plant(name="\x1b]0;owned\x07theirs\u202e", settings={"mounts": ["/etc:/mnt/etc"]})
    if trap is not None:
        (place.out / "runs.json").unlink(missing_ok=True)
        trap(place.out / "runs.json")
    before = tree(place.out)
    done = place.shell.sii("batch", "status", str(place.out))
    assert tree(place.out) == before
    assert not set("\x1b\x07\u202e") & set(done.stdout + done.stderr)
    assert done.returncode == (0 if trap is None else 2), done.stderr


def test_ones_own_goes_on_without_a_word(place: Received) -> None:
    outside = place.folder / "outside"
    outside.mkdir()
    asks = {"query": "steps=1", "workspace": str(outside)}
    file = place.write({"id": "a"} | asks, {"id": "b"} | asks)
    once = ("--allow", "paths", "--max-total-tokens", "1", "--concurrency", "1")
    place.run(str(file), "--out", "out", *once, code=3)
    place.run("--resume", "out")
    place.check_every_session_counts_once(2, 1)


def test_ones_own_batch_of_an_earlier_version_goes_on(place: Received) -> None:
    """Queries had fewer fields then, so their lines and the hash of them were others."""
    place.plant([Query(id="a", query="steps=1"), Query(id="b", query="steps=1")])
    lines = [json.loads(line) for line in (place.out / "queries.jsonl").read_bytes().splitlines()]
    text = b""
    for line in lines:
        del line["check_files"]
        text += json.dumps(line, separators=(",", ":")).encode() + b"\n"
    (place.out / "queries.jsonl").write_bytes(text)
    body = json.loads((place.out / BATCH_FILE).read_text())
    del body["proof"], body["allowed"]
    body["queries_sha256"] = hashlib.sha256(text).hexdigest()
    (place.out / BATCH_FILE).write_text(json.dumps(body))
    old = place.folder / "home" / "batches" / "old"
    shutil.copytree(place.out, old)
    place.run("--resume", str(old))
    assert place.server.answered == 4
    place.run("--resume", "out")
    assert place.server.answered == 8


def test_a_plan_of_no_query_and_endless_variants_is_damaged(place: Received) -> None:
    values = {"temperature": [n / 4000 for n in range(2000)], "seed": list(range(2000))}
    place.plant([], vary=values | {"top_p": [(n + 1) / 4000 for n in range(2000)]})
    done = place.shell.sii("batch", "status", str(place.out))
    assert (done.returncode, "is damaged" in done.stderr) == (2, True), done.stderr


def test_a_batch_elsewhere_is_looked_at_with_the_key_of_the_home_that_ran_it(
    place: Received,
) -> None:
    """The home of the user here is neither above the batch's folder nor `~/.sii`."""
    file = place.write({"id": "a"})
    told = place.run(str(file), "--out", "out")
    home = place.folder / "home"
    assert f"Its recordings: sii list --home {place.out}" in told
    mine = place.shell.sii("list", "--home", str(place.out), SII_HOME=str(home))
    assert (mine.returncode, "foreign: " in mine.stdout) == (0, False)
    assert "foreign: " in place.shell.sii("list", SII_HOME=str(place.out)).stdout


def test_what_a_home_held_before_plans_had_a_proof_is_its_own(place: Received) -> None:
    asks = Query(id="a", query="steps=1", workspace="/etc", image="x:1", allow_net=("x.org",))
    place.plant([asks])
    batches = place.folder / "home" / "batches"
    batches.mkdir()
    for name in ("old", "sealed-elsewhere", "damaged"):
        shutil.copytree(place.out, batches / name)
    old = json.loads((batches / "old" / BATCH_FILE).read_text())
    del old["proof"], old["allowed"]
    (batches / "old" / BATCH_FILE).write_text(json.dumps(old))
    (batches / "damaged" / BATCH_FILE).write_text("[")
    (batches / "link").symlink_to(place.out)
    place.shell.sii("list")
    key = home_key(place.folder / "home")
    sealed = load_pinned(batches / "old", key)
    assert sealed.own
    assert {kind for kind, _ in sealed.plan.allowed} == {"paths", "image", "net"}
    assert not load_pinned(batches / "sealed-elsewhere", key).own
    shutil.copytree(place.out, batches / "later")
    (batches / "later" / BATCH_FILE).write_text(json.dumps(old))
    place.shell.sii("list")
    assert not load_pinned(batches / "later", key).own, "that is done once"
