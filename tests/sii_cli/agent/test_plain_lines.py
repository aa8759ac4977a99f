"""Command lines that bash and every parser read the same way."""

from __future__ import annotations

import pytest

from recordings.events import Permission
from sii_cli.agent.permissions import CallQuestion, Permissions
from sii_cli.agent.plain_lines import is_plain
from sii_cli.agent.shell_commands import ShellCommand
from tests.sii_cli.agent.test_permissions import Human

PLAIN = (
    *(
        "ls -la",
        "cat a.txt | head -5 && echo 'x $y `z`'",
        'grep -rn "foo \\"bar\\"" src 2>/dev/null',
    ),
    *("find . -name '*.py' -exec wc -l {} \\;", "find . \\( -name a -o -name b \\)", "! ls; ls"),
    *("[ -f x ] && echo yes", "for f in *.py; do wc -l $f; done", "ls > out", "test a != b"),
    *("ls 2>&1 | tail -n 3", 'echo "héllo 世界 ${HOME}" # words (of a comment)', "sort < in"),
)
HIDING = (
    *("echo $(rm x)", "echo `rm x`", 'echo "$(rm x)"', "echo ${x:-$(rm x)}", "echo <(rm x)"),
    *("echo {a['$(rm x)']}</dev/null", "true {PATH}</dev/null", "a['$(rm x)']=1", "a=($(rm x))"),
    *("ls \\ #; rm x", "ls \\\n-a", "\\ls", "cat <<E\n$(rm x)\nE", "cat <<< x", "ls\r\nrm x"),
    *("echo $'\\x60rm x\\x60'", 'echo $"x"', "((x))", "[[ -v a ]]", "f() { rm x; }", "{ rm x; }"),
    *(
        'echo "${x@P}"',
        "echo ${!x}",
        "case x in x) rm x;; esac",
        "ls\u00a0-a",
        "echo 'a\0b'",
        "x ;; y",
    ),
    *("ls >&f", "ls >|f", "ls <>f", "ls >(rm x)", "echo 'open", 'echo "open', "ls {a,b}", "x\\"),
)


@pytest.mark.parametrize("line", PLAIN)
def test_words_quotes_variables_and_simple_operators_are_plain(line: str) -> None:
    assert is_plain(line)


@pytest.mark.parametrize("line", HIDING)
def test_what_may_hide_a_command_is_not_plain(line: str) -> None:
    assert not is_plain(line)


@pytest.mark.parametrize("line", HIDING)
async def test_a_human_is_asked_even_where_the_parser_sees_a_reader(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the parser had misread the line."""
    monkeypatch.setattr(
        "sii_cli.agent.permissions.shell_commands", lambda line: (ShellCommand.of(("ls",)),)
    )
    decided = await Permissions("ask", (), Human())("bash", {"command": line})
    assert isinstance(decided, CallQuestion)
    assert decided.about == (line[:200].strip(),)
    assert decided.grants == ()
    decided = await Permissions("auto", (), Human())("bash", {"command": line})
    assert isinstance(decided, Permission)
