"""What a mode, rules and the answers of a human make of calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from recordings.events import Permission
from sii_cli.agent.permissions import CallQuestion, HumanAnswer, PermissionMode, Permissions
from sii_cli.config.permission_rules import parse_rule

RULES = (
    "bash: git push --dry-run* -> allow",
    "bash: git push* -> ask",
    "bash: rm -rf /* -> refuse",
    "bash: pytest* -> allow",
    "write_file: *.env -> ask",
    "mcp__*: *delete* -> refuse",
)


class Human:
    """Gives the answers in order, and keeps the questions."""

    def __init__(self, *answers: HumanAnswer) -> None:
        self.answers = list(answers)
        self.questions: list[CallQuestion] = []

    async def __call__(self, question: CallQuestion) -> HumanAnswer:
        self.questions.append(question)
        return self.answers.pop(0)


def permissions(
    mode: PermissionMode = "auto", human: Human | None = None, rules: tuple[str, ...] = RULES
) -> Permissions:
    return Permissions(mode, map(parse_rule, rules), human)


def decide(these: Permissions, name: str, **arguments: Any) -> Permission | CallQuestion:
    return asyncio.run(these(name, arguments))


def bash(these: Permissions, command: str) -> str:
    decided = decide(these, "bash", command=command)
    if isinstance(decided, CallQuestion):
        return "ask"
    return "allow" if decided.allowed else "refuse"


@pytest.mark.parametrize(
    ("command", "auto", "ask"),
    [
        ("ls", "allow", "allow"),
        ("touch x", "allow", "ask"),
        ("git push", "ask", "ask"),
        ("cd x && git -C y push", "ask", "ask"),
        ("git push --dry-run", "allow", "allow"),
        ("git push --dry-run; git push", "ask", "ask"),
        ("git push; rm -rf /etc", "refuse", "refuse"),
        ("git $X", "ask", "ask"),  # it may be `git push`
        ("$X", "ask", "ask"),
        ("echo $X", "allow", "allow"),
        ("rm -rf $X", "ask", "ask"),  # what a rule may refuse is asked, not refused
        ("pytest -q", "allow", "allow"),
        ("timeout 60 pytest -q", "allow", "allow"),
        ("pytest -q > log", "allow", "ask"),
        ("pytest $X", "allow", "allow"),
        ("sudo pytest", "allow", "ask"),
        ("X=1", "allow", "ask"),
    ],
)
def test_the_strictest_of_a_lines_commands_decides(command: str, auto: str, ask: str) -> None:
    assert bash(permissions("auto", Human()), command) == auto
    assert bash(permissions("ask", Human()), command) == ask


def test_rules_of_files_see_where_a_path_leads() -> None:
    these = permissions("auto", Human())
    for path in (".env", "/workspace/a/../.env", "b/./c.env"):
        assert isinstance(decide(these, "write_file", path=path, content=""), CallQuestion), path
    assert isinstance(decide(these, "write_file", path="env", content=""), Permission)


@pytest.mark.hostile
@pytest.mark.parametrize(
    "path", ["keys", "//workspace/keys", "../workspace/keys", "/../workspace//x/../keys"]
)
def test_a_path_is_the_same_however_it_is_written(path: str) -> None:
    these = permissions(rules=("write_file: keys -> refuse",))
    decided = decide(these, "write_file", path=path, content="")
    assert isinstance(decided, Permission)
    assert not decided.allowed


def test_a_rule_may_be_for_many_tools() -> None:
    refused = decide(permissions(), "mcp__shop__order", action="delete")
    assert isinstance(refused, Permission)
    assert (refused.allowed, refused.by, refused.rule) == (False, "rule", RULES[-1])


def test_ask_does_not_ask_before_what_changes_nothing() -> None:
    these = permissions("ask", Human())
    for name in ("read_file", "glob", "grep", "web_search", "web_fetch", "todo", "jobs"):
        assert isinstance(decide(these, name, path="x"), Permission), name
    for name in ("write_file", "edit_file", "python", "mcp__x"):
        assert isinstance(decide(these, name, path="x"), CallQuestion), name


def test_a_call_without_arguments_is_not_asked_about_because_it_is_not_run() -> None:
    decided = asyncio.run(permissions("ask", Human())("bash", None))
    assert isinstance(decided, Permission)


def test_where_nobody_is_a_rule_that_asks_refuses_with_a_sentence() -> None:
    refused = decide(permissions(), "bash", command="git push")
    assert refused == Permission(
        by="rule",
        mode="auto",
        allowed=False,
        words="It would be asked for by the rule `bash: git push* -> ask`. Nobody is here to be "
        "asked: do it another way, or do without.",
        rule="bash: git push* -> ask",
    )


async def answered(these: Permissions, name: str, **arguments: Any) -> HumanAnswer:
    question = await these(name, arguments)
    assert isinstance(question, CallQuestion)
    return await question.answer(question)


def test_a_page_that_is_saved_into_the_workspace_is_asked_about() -> None:
    these = permissions("ask", Human(), rules=())
    read = decide(these, "web_fetch", url="https://x.org/a.pdf")
    assert isinstance(read, Permission)
    assert read.allowed
    saved = decide(these, "web_fetch", url="https://x.org/a.pdf", save_as="a.pdf")
    assert isinstance(saved, CallQuestion)


async def test_once_is_for_one_call_and_for_the_session_for_all_like_it() -> None:
    human = Human(HumanAnswer("once"), HumanAnswer("session"))
    these = permissions("auto", human)
    await answered(these, "bash", command="git push origin a")
    await answered(these, "bash", command="cd x; git push origin b")
    assert [str(rule) for rule in human.questions[1].grants] == ["bash: git push* -> allow"]
    allowed = await these("bash", {"command": "git push origin c; ls"})
    assert isinstance(allowed, Permission)
    assert (allowed.allowed, allowed.rule) == (True, "bash: git push* -> allow")
    assert isinstance(await these("bash", {"command": "git push; git $X"}), CallQuestion)
    refused = await these("bash", {"command": "git push; rm -rf /"})
    assert isinstance(refused, Permission)
    assert not refused.allowed


async def test_what_the_mode_asked_for_allows_nothing_that_a_rule_asks_for() -> None:
    these = permissions("ask", Human(HumanAnswer("session")))
    await answered(these, "write_file", path="a.py", content="")
    assert isinstance(await these("write_file", {"path": "b.py"}), Permission)
    assert isinstance(await these("write_file", {"path": ".env"}), CallQuestion)


@pytest.mark.parametrize(
    ("command", "grant"),
    [
        ("cargo build --release", "bash: cargo build* -> allow"),
        ("rm -rf build", "bash: rm -rf build -> allow"),
        ("python3 a.py", "bash: python3 a.py -> allow"),
        ("make > log", "bash: make -> allow, bash: > log -> allow"),
        ("rm *.o", ""),  # as a rule it would allow more
        ("$X", ""),
        ("make; $X", ""),
    ],
)
def test_what_for_the_session_would_allow_is_no_more_than_is_shown(
    command: str, grant: str
) -> None:
    question = decide(permissions("ask", Human(), rules=()), "bash", command=command)
    assert isinstance(question, CallQuestion)
    assert ", ".join(map(str, question.grants)) == grant


async def test_the_last_decisions_are_kept_in_words() -> None:
    these = permissions("auto", Human(HumanAnswer("no", "Not today.")))
    await answered(these, "bash", command="git push")
    await these("bash", {"command": "rm -rf /"})
    assert list(these.decisions) == [
        "git push: asked (bash: git push* -> ask), not allowed",
        "rm -rf /: refused (bash: rm -rf /* -> refuse)",
    ]


@pytest.mark.parametrize(
    "text", ["", "bash", "bash: x", "bash: x -> maybe", ": x -> ask", "bash: -> ask", "x -> ask"]
)
def test_a_rule_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="TOOL: PATTERN -> allow, ask or refuse"):
        parse_rule(text)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a", "a", True),
        ("a", "ab", False),
        ("a*", "ab", True),
        ("*b", "ab", True),
        ("a*a", "a", False),
        ("a*b*c", "axxbyyc", True),
        ("a*b*c", "axxcyyb", False),
        ("*", "", True),
        ("a->b* ", "a->bc", True),
    ],
)
def test_a_star_is_any_text(pattern: str, text: str, *, fits: bool) -> None:
    assert parse_rule(f"bash: {pattern} -> ask").fits(text) is fits
