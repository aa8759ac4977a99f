"""The generated pages say what the code says now."""

from __future__ import annotations

import ast
import tomllib
import typing
from collections.abc import Iterator
from dataclasses import fields
from importlib import resources

from recordings.samples.sample import Reason
from scripts.reference import models
from scripts.reference.pages import FOLDER, all_pages, written_pages
from scripts.reference.settings import OTHER_VARIABLES
from sii_cli.config.settings import SETTING_NAMES, variable_of
from sii_cli.model.profiles import Profile
from tests.docs.shown import ROOT

OF_OTHERS = {
    "XTERM_VERSION": "which terminal it is",
    "STY": "whether GNU screen runs",
    "VLLM_ENFORCE_STRICT_TOOL_CALLING": "vLLM's own, which `sii serve` sets",
}
"""Variables that no user sets for sii."""


def test_the_pages_are_up_to_date() -> None:
    pages, written = all_pages(), written_pages()
    outdated = [name for name in {*pages, *written} if written.get(name) != pages.get(name)]
    assert not outdated, "run: python -m scripts.reference"


def test_no_page_shows_a_type_of_python() -> None:
    shown = [name for name, text in all_pages().items() if "typing." in text or "<class" in text]
    assert shown == []


def test_every_field_of_a_profile_is_described() -> None:
    text = resources.files("sii_cli.model").joinpath("profiles.toml").read_text("utf-8")
    described = {name for name, _ in models.fields(text)} - {"match"}
    assert described | {"name"} == {field.name for field in fields(Profile)}


def test_every_reason_for_leaving_out_is_explained() -> None:
    text = (FOLDER / "samples.md").read_text("utf-8")
    assert not [one for one in typing.get_args(Reason) if f"| `{one}` |" not in text]


def test_every_extra_is_explained() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (ROOT / "docs/guides/install.md").read_text("utf-8")
    assert not [one for one in project["optional-dependencies"] if f"| `{one}` |" not in text]


def test_every_variable_that_the_code_reads_is_described() -> None:
    known = {*OTHER_VARIABLES, *OF_OTHERS, *map(variable_of, SETTING_NAMES)}
    assert {name.upper() for name in _variables_read()} - known == set()


def _variables_read() -> Iterator[str]:
    """Yield the names that are looked up in an environment by a literal."""
    for package in ("sii_cli", "tools", "sandbox", "recordings"):
        for path in (ROOT / package).rglob("*.py"):
            if "demo/workspace" in str(path) or "sandbox/runner" in str(path):
                continue  # what runs inside a sandbox
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case (
                        ast.Subscript(value=whose, slice=ast.Constant(value=str(name)))
                        | ast.Call(
                            func=ast.Attribute(value=whose, attr="get"),
                            args=[ast.Constant(value=str(name)), *_],
                        )
                    ) if ast.unparse(whose) in ("os.environ", "environ", "env"):
                        yield name
