"""Whether a tool call may run: by the mode, by rules, or by the answer of a human."""

from __future__ import annotations

import json
import posixpath
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from recordings.events import Permission
from sii_cli.agent.plain_lines import is_plain
from sii_cli.agent.read_only_commands import is_read_only
from sii_cli.agent.shell_commands import shell_commands
from sii_cli.config.permission_rules import ACTIONS, Action, PermissionRule

PermissionMode = Literal["auto", "ask"]
"""`auto` permits every call, `ask` asks before one that may change something. Rules hold in both.
"""
MODES: tuple[PermissionMode, ...] = ("auto", "ask")
HARMLESS = frozenset(
    {"read_file", "glob", "grep", "web_search", "web_fetch", "papers", "todo", "jobs"}
)
"""Tools that change nothing in the workspace: `ask` does not ask for them."""
_MOST_ABOUT = 5
"""Commands of one call that a question shows."""
_SHOWN = 200
"""Characters of a command line that may hide commands that a question shows."""
_DECISIONS = 10
"""Decisions that are remembered, for `/rules`."""
_PATHS = frozenset({"read_file", "write_file", "edit_file"})
_WORKSPACE = "/workspace"
_MAIN = {
    "python": "code",
    "web_search": "query",
    "papers": "query",
    "web_fetch": "url",
    "grep": "pattern",
}
"""Arguments that rules look at; of other tools they look at all arguments, as JSON."""
_SUBCOMMAND = re.compile(r"[a-z][a-z0-9-]*")
NOBODY = "Nobody is here to be asked"
_ANSWERED = {"once": "allowed once", "session": "allowed for the session", "no": "not allowed"}
REFUSED = "A rule of the user refuses it"


@dataclass(frozen=True, slots=True)
class HumanAnswer:
    """What a human answered to a question."""

    kind: Literal["once", "session", "no"]
    words: str | None = None
    speaker: str | None = None
    """Pseudonym of the human."""


@dataclass(frozen=True, slots=True)
class CallQuestion:
    """A call that a human is to permit."""

    name: str
    arguments: Mapping[str, Any] | None
    about: tuple[str, ...]
    """What of it is in question."""
    mode: PermissionMode
    rule: str | None
    """The rule that asks; `None`: the mode."""
    grants: tuple[PermissionRule, ...]
    """What "for the session" allows; empty where that is not offered."""
    answer: Callable[[CallQuestion], Awaitable[HumanAnswer]]


Permit = Callable[[str, dict[str, Any] | None], Awaitable[Permission | CallQuestion]]
"""(tool name, parsed arguments or `None` where they are not a JSON object) → whether the call may
run and who decided, or the question for a human whose answer decides."""
AskHuman = Callable[[CallQuestion], Awaitable[HumanAnswer]]


async def permit_all(name: str, arguments: dict[str, Any] | None) -> Permission:
    """Let every call run: what runs, runs inside the sandbox."""
    return Permission(by="mode", mode="auto")


class _Subject(NamedTuple):
    """A command, a path or another text that rules look at."""

    text: str
    known: int | None = None
    """Of a shell command, the characters that are certain before it runs."""
    writes: bool = False
    """A call of a harmless tool that writes a file all the same."""


class _Decision(NamedTuple):
    action: Action
    subject: str
    rule: PermissionRule | None
    grant: PermissionRule | None = None


class Permissions:
    """The permissions of a session: a mode that may change, rules, and what a human allowed."""

    def __init__(
        self,
        mode: PermissionMode = "auto",
        rules: Iterable[PermissionRule] = (),
        ask: AskHuman | None = None,
    ) -> None:
        """`ask` asks the human; without it what would be asked is refused."""
        self.mode: PermissionMode = mode
        self.rules = tuple(rules)
        self.grants: dict[PermissionRule, str | None] = {}
        """What the human allowed for the session, and the rule that it answers (`None`: the mode);
        other rules hold all the same."""
        self.decisions: deque[str] = deque(maxlen=_DECISIONS)
        """The last decisions that a rule or the human had a part in, in words."""
        self._ask = ask

    async def __call__(
        self, name: str, arguments: dict[str, Any] | None
    ) -> Permission | CallQuestion:
        """Decide of a call."""
        concerned = self.mode == "ask" or any(rule.is_for(name) for rule in self.rules)
        if not concerned or arguments is None:  # without arguments nothing is run
            return Permission(by="mode", mode=self.mode)
        decided = [self._decide(name, one) for one in self._subjects(name, arguments)]
        action: Action = max((one.action for one in decided), key=ACTIONS.index, default="allow")
        if not decided and self.mode == "ask" and name not in HARMLESS:
            action = "ask"
        by = [one for one in decided if one.action == action]
        rule = next((one.rule for one in by if one.rule is not None), None)
        said = None if rule is None else str(rule)
        if action != "ask":
            return self._settled(action, by, said)
        about = tuple(dict.fromkeys(one.subject for one in by))
        if self._ask is None:
            why = f"by the rule `{said}`" if said else "by the mode `ask`"
            words = f"It would be asked for {why}. {NOBODY}: do it another way, or do without."
            return Permission(by="rule", mode=self.mode, allowed=False, words=words, rule=said)
        grants = tuple(dict.fromkeys(one.grant for one in by if one.grant is not None))
        return CallQuestion(
            name,
            arguments,
            about[:_MOST_ABOUT],
            self.mode,
            said,
            grants if len(by) == sum(one.grant is not None for one in by) else (),
            partial(self._answered, by),
        )

    def _subjects(self, name: str, arguments: Mapping[str, Any]) -> list[_Subject]:
        subjects = _subjects(name, arguments)
        line = arguments.get("command")
        if name == "bash" and self.mode == "ask" and isinstance(line, str) and not is_plain(line):
            subjects.append(_Subject(line[:_SHOWN].strip(), 0))  # a part of it may be hidden
        return subjects

    async def _answered(self, by: Sequence[_Decision], question: CallQuestion) -> HumanAnswer:
        """Ask the human, and keep what is allowed for the session."""
        assert self._ask is not None
        answer = await self._ask(question)
        if answer.kind == "session" and question.grants:
            for one in by:
                if one.grant is not None:
                    self.grants[one.grant] = None if one.rule is None else str(one.rule)
        why = question.rule or f"mode {question.mode}"
        self.decisions.append(f"{_said(question.about)}: asked ({why}), {_ANSWERED[answer.kind]}")
        return answer

    def _settled(self, action: Action, by: Sequence[_Decision], rule: str | None) -> Permission:
        if rule is None:
            return Permission(by="mode", mode=self.mode)
        about = _said([one.subject for one in by if one.rule is not None])
        self.decisions.append(f"{about}: {'allowed' if action == 'allow' else 'refused'} ({rule})")
        words = None if action == "allow" else f"{REFUSED}: `{rule}`."
        return Permission(
            by="rule", mode=self.mode, allowed=action == "allow", words=words, rule=rule
        )

    def _decide(self, name: str, subject: _Subject) -> _Decision:
        decided = self._by_rules(name, subject)
        if decided.action == "ask":
            asks = None if decided.rule is None else str(decided.rule)
            for grant, answers in self.grants.items():
                if (
                    answers == asks
                    and grant.is_for(name)
                    and grant.fits(subject.text, subject.known)
                ):
                    return _Decision("allow", subject.text, grant)
        return decided

    def _by_rules(self, name: str, subject: _Subject) -> _Decision:
        text, known = subject.text, subject.known
        for rule in self.rules:
            if not rule.is_for(name):
                continue
            if rule.fits(text, known if rule.action == "allow" else None):
                return _Decision(rule.action, text, rule, _grant(name, subject, by_rule=True))
            if rule.action == "allow" or known is None or known == len(text):
                continue
            if rule.may_fit(text, known):  # what it runs is not known, so a human decides
                return _Decision("ask", text, rule, _grant(name, subject, by_rule=True))
        harmless = (name in HARMLESS and not subject.writes) or (
            name == "bash" and is_read_only(text, known or 0)
        )
        if self.mode == "auto" or harmless:
            return _Decision("allow", text, None)
        return _Decision("ask", text, None, _grant(name, subject, by_rule=False))


def _subjects(name: str, arguments: Mapping[str, Any]) -> list[_Subject]:
    if name == "bash" and isinstance(line := arguments.get("command"), str):
        return [_Subject(one.text, one.known) for one in shell_commands(line)]
    if name in _PATHS and isinstance(path := arguments.get("path"), str):
        # Two slashes at the beginning stay with `normpath`; for Linux they are one.
        whole = "/" + posixpath.normpath(posixpath.join(_WORKSPACE, path)).lstrip("/")
        return [_Subject(whole.removeprefix(f"{_WORKSPACE}/"))]
    if name in _MAIN and isinstance(text := arguments.get(_MAIN[name]), str):
        return [_Subject(text, writes=bool(arguments.get("save_as")))]
    return [_Subject(json.dumps(arguments, ensure_ascii=False))]


def _grant(name: str, subject: _Subject, *, by_rule: bool) -> PermissionRule | None:
    """Return what allows a subject, and others like it, for a session; `None` where none can."""
    text, known = subject.text, subject.known
    if known is None:
        if by_rule and "*" in text:
            return None
        return PermissionRule(name, text if by_rule else "*", "allow")
    program, _, rest = text[:known].partition(" ")
    subcommand = _SUBCOMMAND.match(rest)
    if subcommand and program != ">" and (rest + " ")[subcommand.end()] == " ":
        return PermissionRule(name, f"{program} {subcommand[0]}*", "allow")
    certain = known == len(text) and known > 0 and "*" not in text
    return PermissionRule(name, text, "allow") if certain else None


def _said(about: Sequence[str]) -> str:
    return "; ".join(" ".join(text.split())[:80] for text in about[:_MOST_ABOUT]) or "a call"
