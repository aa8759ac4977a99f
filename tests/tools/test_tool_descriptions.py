"""What models read of the tools. Changing it changes what models are trained on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.fake_sandbox import FakeSandbox
from tools.registry import TOOL_NAMES
from tools.toolbox import Toolbox
from tools.web.settings import WebSettings

SNAPSHOT = Path(__file__).with_name("tool_descriptions.json")


@pytest.fixture
def toolbox(tmp_path: Path) -> Toolbox:
    return Toolbox(TOOL_NAMES, FakeSandbox(tmp_path).provide, WebSettings())


def test_the_tools_are_described_as_they_were(toolbox: Toolbox) -> None:
    described = {"sha256": toolbox.sha256, "tools": toolbox.schemas}
    if "SII_UPDATE_SNAPSHOTS" in os.environ:
        SNAPSHOT.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", "utf-8")
    known = json.loads(SNAPSHOT.read_text("utf-8"))
    assert described == known, (
        f"The tools' descriptions changed: their hash is now {toolbox.sha256}, it was "
        f"{known['sha256']}. Recordings made from now on belong to another training "
        "distribution. If that is meant, say so in the CHANGELOG and run the test once with "
        "SII_UPDATE_SNAPSHOTS=1."
    )


def test_every_tool_and_every_argument_is_described(toolbox: Toolbox) -> None:
    for schema in toolbox.schemas:
        function = schema["function"]
        assert len(function["description"]) > 40
        assert function["description"].isascii()
        for properties in _properties(function["parameters"]):
            for name, argument in properties.items():
                assert argument["description"], f"{function['name']}.{name}"
                assert isinstance(argument["type"], str), "servers tell strings by their type"


def _properties(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema["properties"]
    for argument in schema["properties"].values():
        if argument["type"] == "array":
            yield from _properties(argument["items"])


def test_the_default_tools_are_these_in_this_order() -> None:
    names = (
        "bash jobs read_file write_file edit_file glob grep python web_search web_fetch papers todo"
    )
    assert " ".join(TOOL_NAMES) == names
