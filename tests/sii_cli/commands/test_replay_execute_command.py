"""`sii replay --execute` as a command: what it wants, what it says."""

from __future__ import annotations

import pytest

from tests.sii_cli.shell import Shell


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--execute"], "give a directory that holds it with --workspace DIR"),
        (["--execute", "--speed", "2"], "it has no --speed"),
        (["--execute", "--html", "a.html"], "writes no file"),
        (["--until", "4"], "are for --execute"),
        (["--json"], "are for --execute"),
        (["--execute", "--workspace", "nowhere"], "does not exist"),
    ],
)
def test_misuse_is_one_sentence(shell: Shell, args: list[str], says: str) -> None:
    shell.recorded()
    done = shell.sii("replay", "last", *args)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
