"""A query file of another person reaches for the host: nothing runs without the user's word."""

from __future__ import annotations

import json
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recordings.events import SessionStart
from recordings.storage.log import read_events
from sii_cli.batch.plan.plan import BatchPlan
from sii_cli.batch.sessions import session_parts
from sii_cli.batch.sessions.session_parts import SessionParts
from sii_cli.config.settings import Settings
from sii_cli.queries import validate
from sii_cli.queries.queries import Query
from sii_cli.queries.query_files import LONGEST_QUERY, MOST_MISTAKES, read_query_file
from sii_cli.queries.requirements import requirements_of_all
from sii_cli.queries.workspaces.errors import WorkspaceUnavailable
from sii_cli.queries.workspaces.workspace_sources import (
    find_kept_folders,
    open_source,
    source_of,
    sources_of,
)
from sii_cli.trust.requirements import KINDS, Grants, not_granted
from tests.fakes.batch_server import BatchServer
from tests.fakes.threads import in_a_thread
from tests.recordings.data_of import data_of
from tests.sii_cli.batch.test_batch_command import PROGRAM, ROOT, Place
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import Terminal
from tools.registry import TOOL_NAMES

pytestmark = pytest.mark.hostile

SECRET = "the user's own"


class Attacked(Place):
    """A user with a home directory, and somebody's query file in a folder of its own."""

    def __init__(self, folder: Path, server: BatchServer, shell: Shell) -> None:
        super().__init__(folder, server)
        self.shell = shell
        self.files = folder / "theirs"
        self.user = folder / "user"
        (self.user / ".ssh").mkdir(parents=True)
        (self.user / ".ssh" / "id_rsa").write_text(SECRET)
        (folder / "home").mkdir()
        (self.files / "mine").mkdir(parents=True)
        (self.files / "mine" / "file").write_text("x")
        with tarfile.open(self.user / "keys.tar", "w") as archive:
            archive.add(self.user / ".ssh", "keys")
        (self.files / "keys").symlink_to(self.user / ".ssh")
        (self.files / "task.tar").symlink_to(self.user / "keys.tar")
        (self.files / "home").symlink_to(folder / "home")

    def write(self, *queries: dict[str, Any]) -> Path:
        path = self.files / "queries.jsonl"
        path.write_text("".join(json.dumps({"query": "steps=0"} | one) + "\n" for one in queries))
        return path

    def told(self, *arguments: str, code: int) -> str:
        """Run `sii batch …` in this process, where no session is to be begun."""
        done = self.shell.sii("batch", *arguments)
        assert done.returncode == code, done.stderr
        assert not self.out.exists()
        assert self.server.answered == 0
        return done.stdout + done.stderr


@pytest.fixture
def place(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attacked]:
    with in_a_thread(BatchServer()) as server:
        made = Attacked(tmp_path, server, shell)
        monkeypatch.setenv("HOME", str(made.user))
        yield made


@pytest.mark.parametrize(
    ("workspace", "why"),
    [
        ("~", "holds your home directory"),
        ("/", "holds sii's own folder"),
        ("../..", "holds sii's own folder"),
        ("home", "holds sii's own folder"),
        ("home/recordings", "is part of sii's own folder"),
        ("../home/config.toml", "is part of sii's own folder"),
        ("keys/..", "holds your home directory"),
        ({"git": "ext::sh -c id", "commit": "abcdef1"}, "is not an https, ssh or git URL"),
        ({"git": "--upload-pack=id:x", "commit": "abcdef1"}, "is not an https, ssh or git URL"),
        ({"git": "file:///", "commit": "abcdef1"}, "holds sii's own folder"),
        ({"git": "~", "commit": "abcdef1"}, "holds your home directory"),
    ],
)
def test_some_things_no_query_ever_gets(place: Attacked, workspace: object, why: str) -> None:
    file = place.write(
        {"id": "a", "workspace": workspace, "allow_net": ["x.org"], "setup": ["cat .ssh/id_rsa"]}
    )
    for arguments in (["--validate"], [], ["--allow", "paths,net"]):
        assert why in place.told(str(file), "--out", str(place.out), *arguments, code=2)


ASKED = [
    ({"workspace": "~/.ssh"}, "paths", "user/.ssh"),
    ({"workspace": "../user/.ssh"}, "paths", "user/.ssh"),
    ({"workspace": "mine/../../user/.ssh"}, "paths", "user/.ssh"),
    ({"workspace": "keys"}, "paths", "user/.ssh"),
    ({"workspace": "task.tar"}, "paths", "user/keys.tar"),
    ({"workspace": {"git": "../user/.ssh", "commit": "abcdef1"}}, "paths", "user/.ssh"),
    ({"workspace": {"git": "https://me:pw@evil.example/x", "commit": "abcdef1"}}, "git", "https:"),
    ({"workspace": {"git": "me@evil.example:x", "commit": "abcdef1"}}, "git", "evil.example:x"),
    ({"allow_net": ["evil.example"]}, "net", "evil.example"),
    ({"allow_net": ["*.evil.example:8080"]}, "net", "*.evil.example:8080"),
    ({"allow_net": ["\u0430pple.com"]}, "net", "xn--pple-43d.com"),
    ({"image": "evil:latest"}, "image", "evil:latest"),
    ({"image": "sii-sandbox:research"}, "image", "sii-sandbox:research"),
    ({"image": "sii-sandbox:mine"}, "image", "sii-sandbox:mine"),
    ({"env": {"LD_PRELOAD": "/s3cret"}}, "env", "LD_PRELOAD"),
]


@pytest.mark.parametrize(("fields", "kind", "shown"), ASKED)
def test_what_a_file_asks_for_is_listed_and_refused(
    place: Attacked, fields: dict[str, Any], kind: str, shown: str
) -> None:
    file = place.write({"id": "a"} | fields, {"id": "b"} | fields)
    told = place.told(str(file), code=2)
    assert shown in told
    assert "(2 queries)" in told
    assert f"say --allow {kind}." in told
    assert "s3cret" not in told
    assert "pw@" not in told
    others = ",".join(set(KINDS) - {kind})
    assert f"say --allow {kind}." in place.told(str(file), "--allow", others, code=2)
    listed = place.told(str(file), "--validate", code=0)
    assert shown in listed
    assert f"--allow {kind}:" in listed


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"workspace": "~/.ssh"}, "paths"),
        ({"workspace": "keys"}, "paths"),
        ({"workspace": "task.tar"}, "paths"),
        ({"allow_net": ["evil.example"]}, "net"),
        ({"image": "evil:latest"}, "image"),
        ({"env": {"LD_PRELOAD": "/s3cret"}}, "env"),
    ],
)
def test_allowed_by_name_it_runs_and_goes_on(
    place: Attacked, fields: dict[str, Any], kind: str
) -> None:
    file = place.write({"id": "a", "query": "steps=1"} | fields)
    place.run(str(file), "--out", "out", "--allow", kind)
    [one] = place.recordings()
    assert one.outcome == "unchecked"
    place.run("--resume", "out")  # what was allowed is pinned with the home's proof
    place.check_every_session_counts_once(1, 1)


def test_what_lies_in_the_files_folder_needs_no_word(place: Attacked) -> None:
    (place.files / "link").symlink_to("mine")
    file = place.write(*({"id": f"q{i}", "workspace": w} for i, w in enumerate(("mine", "link"))))
    assert "asks for" not in place.run(str(file), "--out", "out")
    place.check_every_session_counts_once(2, 1)


def test_a_file_in_the_home_directory_has_not_all_of_it(place: Attacked) -> None:
    place.files = place.user
    file = place.write({"id": "a", "workspace": ".ssh"})
    assert "user/.ssh" in place.told(str(file), code=2)


def test_what_the_user_gives_anyway_needs_no_word(place: Attacked) -> None:
    file = place.write(
        {"id": "a", "allow_net": ["x.org"], "image": "own:1", "env": {"A": "1"}, "tools": ["bash"]}
    )
    own = ["--allow-net", "x.org,y.org", "--image", "own:1", "--env", "A=1"]
    place.run(str(file), "--out", "out", *own)
    others = place.shell.sii("batch", str(file), *own[:4], "--env", "A=2")
    assert "say --allow env." in others.stderr


def test_limits_and_tools_are_at_most_the_users_own(place: Attacked) -> None:
    file = place.write(
        {
            "id": "a",
            "query": "steps=9",
            "limits": {"steps": 9999, "output": 1 << 27},
            "tools": ["bash", "web_fetch"],
        }
    )
    told = place.run(str(file), "--out", "out", "--max-steps", "2", "--tools", "bash,python")
    assert "limits.steps is lowered to your own 2 in a." in told
    assert "limits.output is lowered" in told
    assert "tools that you have not given are left out in a." in told
    [one] = place.recordings()
    assert one.reason == "2 steps (max_steps)"
    [start] = data_of(read_events(one.folder), SessionStart)
    assert [tool["function"]["name"] for tool in start.tools] == ["bash"]


def test_a_query_none_of_whose_tools_is_given_has_the_users_own(place: Attacked) -> None:
    file = place.write({"id": "a", "query": "steps=1", "tools": ["web_fetch", "web_search"]})
    told = place.run(str(file), "--out", "out", "--tools", "bash,python")
    assert "tools that you have not given are left out in a." in told
    [one] = place.recordings()
    [start] = data_of(read_events(one.folder), SessionStart)
    assert [tool["function"]["name"] for tool in start.tools] == ["bash", "python"]


def test_checking_looks_at_nothing_outside_and_starts_no_program(
    place: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(
        validate,
        "workspace_fault",
        lambda query, base: looked.append(query.id),
    )
    monkeypatch.setenv("SII_HOME", str(place.folder / "home"))
    workspaces = ["keys", "~/nowhere", "/nowhere", {"git": "~/x", "commit": "abcdef1"}, "mine"]
    file = place.write(*({"id": f"q{i}", "workspace": w} for i, w in enumerate(workspaces)))
    assert validate.validate(file).mistakes == ()
    assert looked == ["q4"]


def test_names_from_the_file_do_nothing_to_the_screen(place: Attacked) -> None:
    hard = "\x1b]0;owned\x07\n\u202ea\u2066"
    file = place.write({"id": "a", "workspace": f"/x{hard}", "image": hard, "env": {"A": hard}})
    told = place.told(str(file), code=2) + place.told(str(file), "--validate", code=0)
    assert not set("\x1b\x07\u202e\u2066") & set(told)
    assert "owned" not in told.replace("/x", "")


def test_thousands_of_asks_are_counted_and_not_asked_about(place: Attacked) -> None:
    file = place.write({"id": "a", "allow_net": [f"h{n}.org" for n in range(5000)]})
    told = place.told(str(file), code=2)
    assert "and 4800 more" in told
    assert len(told.splitlines()) < 300


class TestAtATerminal:
    def terminal(self, place: Attacked, file: Path, out: str) -> Terminal:
        env = {
            "SII_BASE_URL": place.server.base_url,
            "SII_HOME": str(place.folder / "home"),
            "PYTHONPATH": str(ROOT),
            "HOME": str(place.user),
        }
        argv = [*PROGRAM, "0.0", "batch", str(file), "--out", out]
        return Terminal(argv, cwd=place.folder, env=env)

    def test_a_yes_holds_for_exactly_this_file(self, place: Attacked) -> None:
        file = place.write({"id": "a", "workspace": "keys"})
        no = self.terminal(place, file, "no")
        no.wait_for("with --allow paths nothing is asked")
        no.wait_for("Allow this? [y/N]")
        no.send("\r")
        assert no.exit_code() == 2
        assert not (place.folder / "no").exists()
        yes = self.terminal(place, file, "out")
        yes.wait_for("Allow this? [y/N]")
        yes.send("y\r")
        assert yes.exit_code() == 0
        place.run(str(file), "--out", "again")
        other = place.write({"id": "a", "workspace": "keys", "setup": ["curl evil.example"]})
        assert "--allow paths" in place.shell.sii("batch", str(other)).stderr


def parts_of(place: Attacked, *queries: Query, **own: Any) -> SessionParts:
    """What would run these once all that they ask for was allowed as they are now."""
    base, out = place.files, place.folder / "out"
    mine = replace(Settings(), home=out, workspace=out, tools=("bash", "python"), **own)
    sources = sources_of(queries, base, find_kept_folders([place.folder / "home"]))
    requirements = requirements_of_all(queries, sources, mine)
    allowed: list[tuple[str, str]] = [(one.kind, one.value) for one in requirements]
    return SessionParts(mine, BatchPlan("b", "", str(base), "", 1, {}, 0, None, {}, allowed))


def test_a_link_that_leads_elsewhere_when_its_turn_comes_is_not_followed(place: Attacked) -> None:
    (place.files / "link").symlink_to("mine")
    one = Query(id="a", query="x", workspace="link")
    parts = parts_of(place, one)
    assert (parts.make_workspace(one) / "file").exists()
    (place.files / "link").unlink()
    (place.files / "link").symlink_to(place.user / ".ssh")
    with pytest.raises(WorkspaceUnavailable, match="was not allowed when the batch began"):
        parts.make_workspace(one)


@pytest.mark.parametrize("workspace", ["mine", "mine/in", "mine/t.tar"])
def test_nor_one_that_takes_its_place_between_the_look_and_the_copy(
    place: Attacked, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.files / "mine" / "in").mkdir()
    with tarfile.open(place.files / "mine" / "t.tar", "w"):
        pass
    for name in ("in", "t.tar"):
        (place.user / ".ssh" / name).symlink_to(place.user / ".ssh")
    one = Query(id="a", query="x", workspace=workspace)
    parts = parts_of(place, one)

    def swapped(*arguments: Any) -> Any:
        (place.files / "mine").rename(place.files / "was")
        (place.files / "mine").symlink_to(place.user / ".ssh")
        return open_source(*arguments)

    monkeypatch.setattr(session_parts, "open_source", swapped)
    with pytest.raises(WorkspaceUnavailable):
        parts.make_workspace(one)
    assert not list((place.folder / "out" / "workspaces").glob("*/*"))


_WORKSPACES = st.sampled_from(
    ["mine", "keys", "task.tar", "~/.ssh", "..", "~", "/", "home", "mine/../keys", None]
)
_QUERIES = st.fixed_dictionaries(
    {
        "id": st.just("a"),
        "query": st.just("x"),
        "workspace": _WORKSPACES,
        "allow_net": st.lists(st.sampled_from(["a.org", "b.org", "*.c.org", "A.org."])),
        "image": st.sampled_from([None, "own", "evil", "research", "sii-sandbox:web"]),
        "env": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"])),
        "tools": st.lists(st.sampled_from(["bash", "web_fetch"])),
        "limits": st.fixed_dictionaries({"steps": st.integers(1, 1000)}),
    }
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(written=_QUERIES, kinds=st.sets(st.sampled_from(KINDS)))
def test_whatever_runs_was_allowed(
    place: Attacked, written: dict[str, Any], kinds: set[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SII_HOME", str(place.folder / "home"))
    one = Query.model_validate(written)
    full = parts_of(place, one, allow_net=("a.org",), image="own", env=("A=1",), max_steps=50)
    mine = full.settings
    allowed = [pair for pair in full.plan.allowed if pair[0] in kinds]
    parts = replace(full, plan=replace(full.plan, allowed=allowed))
    try:
        made = parts.make_workspace(one)
    except WorkspaceUnavailable:
        return
    attempt = next(iter(parts.plan.all_attempts([one])))
    runs = parts.settings_of(attempt, made)
    homes = find_kept_folders([place.folder / "home"])
    lies = source_of(one, place.files, homes)
    if lies is not None and not lies.inside:
        assert "paths" in kinds
    assert SECRET not in "".join(p.read_text() for p in made.rglob("id_rsa")) or "paths" in kinds
    siis = "sii-sandbox:research" if one.image == "research" else "own"
    assert runs.image == siis or "image" in kinds
    assert {name.lower().rstrip(".") for name in runs.allow_net} <= {"a.org"} or "net" in kinds
    assert {*runs.env} <= {"A=1"} or "env" in kinds
    assert set(runs.tools or TOOL_NAMES) <= set(mine.tools)
    assert runs.max_steps <= mine.max_steps
    requirements = requirements_of_all([one], [lies], mine)
    assert not_granted(requirements, Grants(frozenset(kinds))) == []


def test_a_query_file_without_an_end_is_a_sentence(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a link to a device is, in an archive."""
    monkeypatch.setattr("sii_cli.queries.query_files._LARGEST", 1 << 16)
    (tmp_path / "q.jsonl").symlink_to("/dev/zero")
    done = shell.sii("batch", "--validate", str(tmp_path / "q.jsonl"))
    assert done.returncode == 2
    assert done.stderr == f"sii: {tmp_path / 'q.jsonl'} is longer than 65,536 bytes: divide it.\n"


BIG = "x" * (1 << 20)
BOMBS = {
    "text.yaml": f'- &a "{BIG}"\n- id: a\n  query: x\n  tags: [{",".join(["*a"] * 20_000)}]\n',
    "merged.yaml": "- &m0 {id: a, query: x}\n"
    + "".join(f"- &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}\n" for n in range(1, 40)),
    "lists.yaml": "- &l0 [y]\n"
    + "".join(f"- &l{n} [*l{n - 1}, *l{n - 1}]\n" for n in range(1, 60)),
    "itself.yaml": "- id: a\n  query: x\n  tags: &a [*a]\n",
    "deep.yaml": "[" * 100_000,
    "sexagesimal.yaml": f"- id: a\n  query: x\n  tags: [1{':1' * 400_000}]\n",
    "infinite.yaml": f"- id: a\n  query: x\n  tags: [1{':1' * 400}.5]\n",
    "keys.yaml": "- id: a\n  env:\n"
    + "".join(f"    {n * (2**61 - 1)}: a\n" for n in range(30_000)),
    "timestamp.yaml": "- id: a\n  query: !!timestamp foo\n",
    "number.yaml": '- id: a\n  query: !!int ""\n',
    "switch.yaml": "- id: a\n  query: !!bool perhaps\n",
    "twice.jsonl": f'{{{",".join(f""" "k{n}":1""" for n in range(100_000))},"z":1,"z":2}}\n',
    "fields.jsonl": f'{{{",".join(f""" "k{n}":1""" for n in range(100_000))}}}\n',
    "lines.jsonl": "x\n" * 1_000_000,
    "columns.csv": ",".join(f"c{n}" for n in range(100_000)) + "\n" + "a\n" * 10_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_short_file_takes_little_time_and_has_few_mistakes(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(BOMBS[name])
    began = time.process_time()
    read = read_query_file(tmp_path / name)
    assert time.process_time() - began < 8
    assert 1 <= len(read.mistakes) <= MOST_MISTAKES + 1


def test_aliases_that_stand_for_little_are_read(tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    file.write_text(
        "queries:\n- &first {id: a, query: x, tags: [&tag t, *tag]}\n- {<<: *first, id: b}\n"
    )
    [a, b] = read_query_file(file).queries
    assert (a.tags, b.id, b.query) == (("t", "t"), "b", "x")


@pytest.mark.parametrize(
    "workspace",
    [
        "~nobody-of-this-name/x",
        "~x.tar",
        "a/" * 3000,
        {"git": "~nobody-of-this-name/x", "commit": "1234567"},
    ],
)
def test_a_path_that_cannot_be_is_one_mistake(place: Attacked, workspace: object) -> None:
    file = place.write({"id": "a", "workspace": workspace}, {"id": "b", "tools": ["none"]})
    told = place.told("--validate", str(file), code=2)
    assert "queries.jsonl:1: workspace: " in told
    assert "queries.jsonl:2: tools: " in told


def test_a_query_that_no_recording_could_hold_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    long = {"id": "long", "query": "x" * (LONGEST_QUERY + 1)}
    escaped = {"id": "escaped", "query": "\x01" * (LONGEST_QUERY // 6)}
    lines = (long, escaped, {"id": "short", "query": "y" * 1000})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    read = read_query_file(path)
    assert [one.line for one in read.mistakes] == [1, 2]
    assert "31 MiB: put such data into a file of its workspace" in read.mistakes[0].text
    assert [query.id for query in read.queries] == ["short"]
