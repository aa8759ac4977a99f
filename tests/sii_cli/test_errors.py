"""The tree of errors at the top of `sii_cli/errors.py` is the one that the code has."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import sii_cli
from recordings.errors import RecordingDamaged, RecordingNotFound
from sandbox.protocol import SandboxLost
from sandbox.snapshots import SnapshotNotFound
from sii_cli import errors
from sii_cli.errors import INFRASTRUCTURE, USAGE, SiiError, explain


def drawn(error: type[SiiError], before: str = "", branch: str = "") -> Iterator[str]:
    where = "" if error.__module__ == errors.__name__ else f"  {error.__module__}"
    yield f"{before + branch + error.__name__:<32}{error.exit_code}{where}"
    before += {"": "", "├── ": "│   ", "└── ": "    "}[branch]
    below = sorted(error.__subclasses__(), key=lambda one: one.__name__)
    for one in below:
        yield from drawn(one, before, "└── " if one is below[-1] else "├── ")


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    for module in pkgutil.walk_packages(sii_cli.__path__, "sii_cli."):
        if "demo.workspace" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
    assert errors.__doc__ is not None
    assert "\n".join(drawn(SiiError)) in errors.__doc__


def test_every_error_says_when_it_is_raised() -> None:
    below = list(SiiError.__subclasses__())
    while below:
        error = below.pop()
        assert (error.__doc__ or "").startswith("Raised "), error
        below += error.__subclasses__()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RecordingNotFound("x"), USAGE),
        (RecordingDamaged("x"), INFRASTRUCTURE),
        (SandboxLost("x"), INFRASTRUCTURE),
        (SnapshotNotFound("x"), INFRASTRUCTURE),
        (OSError(2, "No such file or directory", "f"), errors.FAILED),
    ],
)
def test_errors_of_the_packages_below_get_their_exit_codes(error: Exception, code: int) -> None:
    explained = explain(error)
    assert explained is not None
    assert explained.exit_code == code


def test_a_bug_is_not_explained() -> None:
    assert explain(KeyError("x")) is None
