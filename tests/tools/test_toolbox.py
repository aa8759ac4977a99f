"""A model's calls: what fits is carried out; what does not becomes an observation that says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes.fake_sandbox import FakeSandbox
from tests.fakes.greetings import Greetings
from tools.base import ToolResult
from tools.registry import TOOL_NAMES
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings


@pytest.fixture
def toolbox(tmp_path: Path) -> Toolbox:
    return Toolbox(TOOL_NAMES, FakeSandbox(tmp_path).provide, WebSettings())


async def call(toolbox: Toolbox, name: str, arguments: object) -> ToolResult:
    raw = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return await toolbox.call(name, raw, lambda output: None)


async def test_a_call_that_fits_is_carried_out(toolbox: Toolbox) -> None:
    result = await call(toolbox, "bash", {"command": "echo hello"})
    assert result == ToolResult("hello", exit_code=0)


@pytest.mark.parametrize("depth", [101, 300, 1000, 5000])
async def test_arguments_nested_without_end_are_refused(toolbox: Toolbox, depth: int) -> None:
    arguments = '{"todos":' + "[" * depth + "]" * depth + "}"
    assert toolbox.parse(arguments) is None
    result = await call(toolbox, "todo", arguments)
    assert result.error == "bad_json"
    assert "todo was not run" in result.text


async def test_an_unknown_tool_is_answered_with_the_known_ones_nearest_first(
    toolbox: Toolbox,
) -> None:
    result = await call(toolbox, "readfile", {})
    assert result.error == "unknown_tool"
    assert 'no tool "readfile"' in result.text
    assert "There are: read_file," in result.text
    assert all(name in result.text for name in TOOL_NAMES)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "empty"),
        ("[1, 2]", "a list of 2"),
        ('"ls"', 'the string "ls"'),
        ("null", "null"),
        ('{"command": "ls" "timeout": 3}', '{"command": "ls"  --> "timeout": 3}'),
        ('{"command": "ls', "not valid JSON"),
        ('{"command": NaN}', "not valid JSON"),
        ('{"command": "\\ud800"}', "not valid JSON"),
        ('{"command": "a", "command": "b"}', '"command" more than once'),
        ("[" * 100_000, "not valid JSON"),
    ],
)
async def test_arguments_that_are_no_json_object(
    toolbox: Toolbox, arguments: str, said: str
) -> None:
    assert toolbox.parse(arguments) is None
    result = await call(toolbox, "bash", arguments)
    assert result.error == "bad_json"
    assert said in result.text
    assert "bash was not run" in result.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "command: missing; wanted: a string"),
        ({"command": 5}, "command: the number 5 was given; wanted: a string"),
        ({"command": None}, "command: null was given; wanted: a string"),
        ({"command": "x", "timeout": 30.0}, "the number 30.0 was given; wanted: an integer, wri"),
        ({"command": "x", "timeout": "30"}, 'the string "30" was given; wanted: an integer, writ'),
        ({"command": "x", "timeout": True}, "the boolean true was given; wanted: an integer"),
        ({"command": "x", "timeout": 0}, "timeout: the number 0 was given; wanted: an integer: "),
        ({"command": "x", "tmeout": 1}, "tmeout: unknown name (did you mean timeout?); known: c"),
    ],
)
async def test_arguments_of_the_wrong_shape(toolbox: Toolbox, arguments: object, said: str) -> None:
    result = await call(toolbox, "bash", arguments)
    assert result.error == "bad_arguments"
    assert said in result.text


async def test_every_argument_that_does_not_fit_is_named_with_its_place(toolbox: Toolbox) -> None:
    edits = [{"old": "a", "new": "b"}, {"old": 1, "nwe": "b", "replace_all": "true"}]
    result = await call(toolbox, "edit_file", {"edits": edits})
    assert result.text.splitlines()[1:] == [
        "- path: missing; wanted: a string (Absolute, or relative to /workspace whatever the "
        "shell's directory is.)",
        "- edits[1].old: the number 1 was given; wanted: a string",
        "- edits[1].new: missing; wanted: a string (Text to put in its place; empty to delete it.)",
        '- edits[1].replace_all: the string "true" was given; wanted: a boolean',
        "- edits[1].nwe: unknown name (did you mean new?); known: old, new, replace_all",
    ]


async def test_what_is_said_of_a_call_is_bounded_and_safe(toolbox: Toolbox) -> None:
    for arguments in (
        {"path": "x" * 100_000 + "\x1b[31m"},
        {"x\x1b" * 100_000: 1},
        {"path": "f", "edits": [{"\x1b": 1}] * 10_000},
    ):
        for name in ("read_file", "edit_file", "x\x1b" * 1000):
            text = (await call(toolbox, name, arguments)).text
            assert len(text) < 5000
            assert "\x1b" not in text


async def test_a_list_given_as_a_string_is_refused_with_the_remedy(toolbox: Toolbox) -> None:
    result = await call(toolbox, "todo", {"todos": "[]"})
    assert "wanted: a list itself, not a string of it" in result.text


async def test_a_value_out_of_a_choice_is_answered_with_the_choice(toolbox: Toolbox) -> None:
    todos = [{"content": "x", "status": "doing"}]
    result = await call(toolbox, "todo", {"todos": todos})
    assert 'todos[0].status: the string "doing" was given; wanted: one of' in result.text
    assert '"pending", "in_progress", "done"' in result.text


async def test_the_sandboxs_refusals_of_files_reach_the_model(toolbox: Toolbox) -> None:
    result = await call(toolbox, "read_file", {"path": "missing.py"})
    assert result.error == "not_found"
    assert "missing.py" in result.text


def test_the_tools_keep_one_order_whatever_order_is_asked_for(tmp_path: Path) -> None:
    provide = FakeSandbox(tmp_path).provide
    one = Toolbox(["todo", "bash"], provide, WebSettings())
    other = Toolbox(["bash", "todo"], provide, WebSettings())
    assert one.names == ("bash", "todo")
    assert one.schemas_json == other.schemas_json


async def test_the_tools_of_another_source_follow_the_built_in_ones(tmp_path: Path) -> None:
    provide = FakeSandbox(tmp_path).provide
    plain = Toolbox(["bash"], provide, WebSettings())
    both = Toolbox(["bash"], provide, WebSettings(), [Greetings()])
    assert both.names == ("bash", "greet")
    assert both.schemas[1]["function"]["name"] == "greet"
    assert both.sha256 != plain.sha256
    assert (await call(both, "greet", {})).text == "Hello."


def test_a_name_that_two_sources_have_is_refused(tmp_path: Path) -> None:
    provide, sources = FakeSandbox(tmp_path).provide, [Greetings("bash")]
    with pytest.raises(ValueError, match="Two sources have a tool bash"):
        Toolbox(["bash"], provide, WebSettings(), sources)
    assert Toolbox(["todo"], provide, WebSettings(), sources).names == ("todo", "bash")


async def test_a_source_that_offers_others_later_changes_no_list(tmp_path: Path) -> None:
    source = Greetings()
    toolbox = Toolbox(["bash"], FakeSandbox(tmp_path).provide, WebSettings(), [source])
    source.names = ("wave",)
    assert toolbox.names == ("bash", "greet")
    assert (await call(toolbox, "greet", {})).text == "Hello."
    assert (await call(toolbox, "wave", {})).error == "unknown_tool"


def test_a_tool_set_with_unknown_names_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no tool grp; there are: bash, "):
        Toolbox(["bash", "grp"], FakeSandbox(tmp_path).provide, WebSettings())


def test_reading_tools_may_run_side_by_side_and_others_not(toolbox: Toolbox) -> None:
    assert toolbox.parallel("read_file")
    assert not toolbox.parallel("bash")
    assert not toolbox.parallel("no such tool")


def test_a_page_that_is_saved_may_change_the_workspace_and_one_that_is_read_not(
    toolbox: Toolbox,
) -> None:
    assert toolbox.may_change("bash", "{}")
    assert not toolbox.may_change("read_file", '{"path": "a"}')
    assert not toolbox.may_change("web_fetch", '{"url": "https://x.org/save_as"}')
    assert not toolbox.may_change("web_fetch", '{"url": "x", "save_as": ""}')
    assert toolbox.may_change("web_fetch", '{"url": "x", "save_as": "a.pdf"}')
