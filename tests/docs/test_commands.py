"""Every command that a document shows can be typed: its options exist, its values are taken.

The commands of the tutorial are run, see `test_tutorial.py`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from scripts.reference.settings import OTHER_VARIABLES
from sii_cli.commands.group import OTHER_OPTIONS, PROMPT, cli
from sii_cli.config.homes import know_home
from sii_cli.config.new_home import make_home
from sii_cli.config.settings import SETTING_NAMES, variable_of
from sii_cli.errors import SiiError
from tests.docs.parsing import find, options_of, parse
from tests.docs.shown import (
    DOCUMENTS,
    ROOT,
    Command,
    commands_in_blocks,
    commands_in_text,
    commands_of,
    name_of,
)

INSTALLERS = ("pip", "pipx", "uv")
OTHER_PROGRAMS = {
    "git": "clones the repository, whose address each reader knows",
    "cd": "the shell's",
    ".": "the shell's",
    "source": "the shell's",
    "eval": "the shell's",
    "jq": "reads what `sii` prints",
    "less": "reads what `sii` prints",
    "sort": "reads what `sii` prints",
    "head": "reads what `sii` wrote",
    "cat": "writes a file, as the tutorial does",
    "vllm": "a server, started by hand",
}
"""Programs in documents that no test calls, and what they are there for."""

FLAGS_OF_OTHERS = {
    *("--tool-call-parser", "--reasoning-parser", "--logprobs-mode"),  # vLLM
    *("--apply-chat-template", "--rollout-max-prompt-len"),  # slime
}
SCRIPTS_OF_TRAINERS = ROOT / "docs/reference/exports.md"
"""Its blocks are what exports say to trainers; the tests of the export run what can be run."""

FILES = (
    *("queries.jsonl", "better.txt", "answer.txt", "task.md", "rubric.txt"),
    *("train.jsonl", "*.json", "runs/monday/batch.json", "runs/monday/pairs.jsonl"),
    *("models/GLM-4.5-Air/tokenizer.json", "as-it-was/README.md"),
)
"""What commands name and must be there, below the reader's home and current directory."""
HOME = "limi-78"
"""A home that the reader made."""


@pytest.fixture(autouse=True)
def _reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand where the reader of a document stands."""
    here = tmp_path / "here"
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in (here, tmp_path):
        for name in FILES:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    monkeypatch.setenv("SII_HOME", str(tmp_path / ".sii"))
    make_home(here / HOME, None)
    know_home(here / HOME)
    monkeypatch.chdir(here)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_in_a_block_is_taken(document: Path) -> None:
    if document == SCRIPTS_OF_TRAINERS:
        return
    wrong = [mistake for one in commands_in_blocks(document) if (mistake := _mistake(one))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_command_in_a_sentence_exists(document: Path) -> None:
    """Sentences leave out arguments, so only commands and flags are looked at."""
    wrong = []
    for one in commands_in_text(document):
        if one.words[0] != "sii":
            wrong += [mistake] if (mistake := _mistake(one)) else []
            continue
        try:
            command, _, rest = find([word for word in one.words if word != "…"])
        except click.UsageError as error:
            wrong.append(f"{one.where}: {' '.join(one.words)}: {error.format_message()}")
            continue
        flags = {word.partition("=")[0] for word in rest if re.match(r"-[a-z-]", word)}
        if unknown := flags - options_of(command) - {"--help", *OTHER_OPTIONS}:
            wrong.append(f"{one.where}: {' '.join(one.words)}: there is no {unknown}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_flag_in_a_sentence_is_one_of_a_command(document: Path) -> None:
    named = set(re.findall(r"`(--[a-z][a-z-]*)", document.read_text("utf-8")))
    assert not named - _all_flags() - FLAGS_OF_OTHERS - {"--help", *OTHER_OPTIONS}


@pytest.mark.parametrize(
    "line",
    [
        "sii lst",
        "sii list --sinse 3d",
        "sii export data --format parquet",
        "sii --max-steps none",
        "sii fork last --at SEQ",
        "sii sandbox remove",
        "SII_MODELL=glm sii",
        "make coffee",
        "pip install 'sii-cli[gpu]'",
        "curl http://127.0.0.1:8000/v1/models",
    ],
)
def test_a_mistake_is_found(line: str) -> None:
    (command,) = commands_of(line, "here")
    assert _mistake(command)


def test_commands_are_found_at_all() -> None:
    documents = [one for one in DOCUMENTS if one != SCRIPTS_OF_TRAINERS]
    found = [one for document in documents for one in commands_in_blocks(document)]
    assert len([one for one in found if one.words[0] == "sii"]) > 100


def _mistake(command: Command) -> str | None:
    """Return what is wrong with a command, and where it stands."""
    program, *arguments = command.words
    what: str | None = None
    names = [one.partition("=")[0] for one in command.variables]
    settings = {*map(variable_of, SETTING_NAMES), *OTHER_VARIABLES}
    if unknown := [one for one in names if one.startswith("SII_") and one not in settings]:
        what = f"there is no variable {unknown[0]}"
    elif program == "sii":
        try:
            parse(command.words)
        except (click.ClickException, SiiError) as error:
            what = error.format_message() if isinstance(error, click.ClickException) else str(error)
    elif program == "make":
        missing = {one for one in arguments if "=" not in one} - _targets()
        what = f"there is no target {missing}" if missing else None
    elif program in INSTALLERS:
        extras = {one for word in arguments for one in re.findall(r"sii-cli\[(\w+)\]", word)}
        missing = extras - _extras()
        what = f"there is no extra {missing}" if missing else None
    elif program not in OTHER_PROGRAMS and not program.startswith("~/"):
        what = f"{program} is not among the known programs"
    return f"{command.where}: {' '.join(command.words)}: {what}" if what else None


@cache
def _all_flags() -> set[str]:
    return set().union(*(options_of(command) for command in _commands(cli)))


def _commands(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in (*group.list_commands(context), *([PROMPT] if group is cli else [])):
        command = group.get_command(context, name)
        assert command is not None
        yield from _commands(command) if isinstance(command, click.Group) else [command]


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def _extras() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return set(project["optional-dependencies"])
