"""What tests of several parts share: the sandbox image and a real vLLM server.

A test marked `docker` or `vllm` gets them without asking. Where they cannot be had the test fails
in continuous integration and is skipped, with the reason, elsewhere.

With pytest-xdist the tests of a file run in one process, one after another, as do all that need a
model server. A slow test runs wherever there is room, unless its file shares what is slow to make:
then it names its group. Tests marked `alone` need the machine to themselves: `scripts/run_tests.sh`
runs them after the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import HealthCheck, settings

from sandbox.docker.image import TAG, ensure_image
from sandbox.protocol import SandboxUnavailable
from tests.tiny_glm.build import ensure_model
from tests.tiny_glm.cache import cache_folder, locked
from tests.tiny_glm.environment import is_ready
from tests.tiny_glm.server import TinyGlmServer, serve
from tests.tiny_glm.shared import shared

# On a busy machine values are made slowly, which says nothing of the test.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    choices = ("together", "alone")
    parser.addoption("--part", choices=choices, help="only tests that are (not) marked `alone`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if part := config.getoption("--part"):
        others = [item for item in items if _is(item, "alone") != (part == "alone")]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _is(item, "alone") == (part == "alone")]
    for item in items:
        if _is(item, "vllm"):
            item.add_marker(pytest.mark.xdist_group("vllm"))
        elif not _is(item, "slow"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: (not _is(item, "vllm"), not _is(item, "slow")))  # the longest first


def _is(item: pytest.Item, marker: str) -> bool:
    return item.get_closest_marker(marker) is not None


@pytest.fixture(autouse=True)
def _what_the_markers_ask_for(request: pytest.FixtureRequest) -> None:
    for marker, fixture in (("docker", "sandbox_image"), ("vllm", "tiny_glm_server")):
        if request.node.get_closest_marker(marker):
            request.getfixturevalue(fixture)


@pytest.fixture(scope="session")
def sandbox_image() -> str:
    """The sandbox's image, built if need be: its tag."""
    try:
        with locked(cache_folder() / "image.lock"):
            ensure_image(progress=print)
    except SandboxUnavailable as unavailable:
        _cannot_run(str(unavailable))
    return TAG


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all worker processes of one test run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def tiny_glm_server(sandbox_image: str, run_folder: Path) -> Iterator[TinyGlmServer]:
    """A real vLLM that serves a tiny GLM in GLM-4.7's form; one for the whole test run."""
    if not is_ready():
        _cannot_run("vLLM is not installed for the tests: run `make server`.")
    model = ensure_model("glm47")
    log = run_folder / "vllm.log"
    with shared(run_folder, lambda: serve(model, "glm47", log)) as server:
        yield server


def _cannot_run(reason: str) -> NoReturn:
    if "CI" in os.environ:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
