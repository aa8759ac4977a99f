"""Every module, function and class that stands in a string can be imported: names move, strings
stay.
"""

import ast
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = "(?:benchmarks|recordings|sandbox|scripts|sii_cli|tests|tools)"
NAME = re.compile(rf"{PACKAGES}(?:\.\w+)+(?::[\w.]+)?")
IMPORT = re.compile(rf"^ *(?:from ({PACKAGES}[\w.]*) import (\w+)|import ({PACKAGES}[\w.]*))", re.M)
BEGINNING = re.compile(rf"{PACKAGES}\.[\w.]*")
RUN = re.compile(rf"-m ({PACKAGES}[\w.]*)")
OTHERS = {
    "sandbox.read_file",  # what a benchmark measures
    "sandbox.write_file",
    "recordings.export.",  # the product loads these two kinds of modules by their names
    "sii_cli.commands.",
    "benchmarks.bench_",
}
SCRIPTS = [ROOT / "Makefile", *ROOT.glob("scripts/*.sh"), *ROOT.glob(".github/**/*.yml")]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_what_a_string_names_can_be_imported() -> None:
    named = {name: where for name, where in _named() if name not in OTHERS}
    missing = {name: where for name, where in named.items() if not _is_there(name)}
    assert not missing
    assert len(named) > 100, "they are not found at all"


def test_no_string_names_a_module_in_parts() -> None:
    """What is put together when it is run is found by no search, and by no test before it runs."""
    begun = {
        part.value: f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, node in _nodes()
        if isinstance(node, ast.JoinedStr)
        for part in node.values[:1]
        if isinstance(part, ast.Constant) and BEGINNING.match(str(part.value))
    }
    assert not {text: where for text, where in begun.items() if text not in OTHERS}


def test_programs_of_the_servers_environment_import_none_of_ours() -> None:
    """They are run there by their paths: only what lies beside them is found."""
    programs = [
        path for path in ROOT.glob("tests/**/*.py") if "\nimport torch\n" in path.read_text("utf-8")
    ]
    assert len(programs) > 1
    for path in programs:
        assert not re.findall(rf"^from {PACKAGES}\b.*", path.read_text("utf-8"), re.M), path


def _named() -> Iterator[tuple[str, str]]:
    """Yield each name and where it stands."""
    for path, node in _nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            where = f"{path.relative_to(ROOT)}:{node.lineno}"
            if NAME.fullmatch(node.value):
                yield node.value, where
            for module, name, alone in IMPORT.findall(node.value):
                yield alone or f"{module}:{name}", where
    for path in (*SCRIPTS, *DOCUMENTS):
        for name in RUN.findall(path.read_text("utf-8")):
            yield name, path.name


def _nodes() -> Iterator[tuple[Path, ast.expr]]:
    for package in PACKAGES.strip("(?:)").split("|"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.expr):
                    yield path, node


def _is_there(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except ImportError:
        return False
    except AttributeError:
        module, _, attribute = name.replace(":", ".").rpartition(".")
        return _is_module(f"{module}.{attribute}")
    return True


def _is_module(name: str) -> bool:
    try:
        import_module(name)
    except ImportError:
        return False
    return True
