"""The images that sii builds: their names, when one is out of date, and what is inside them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from sandbox.docker import image
from sandbox.docker.debian_base import RECIPE_LABEL
from sandbox.docker.sii_images import (
    BASE,
    SII_IMAGES,
    SiiImage,
    build_command,
    image_of,
    short_name_of,
)
from sandbox.protocol import SandboxUnavailable
from sii_cli.commands.sandbox import command as sandbox_command
from tests.tiny_glm.cache import cache_folder, locked


def test_a_short_name_stands_for_siis_image_and_any_other_for_itself() -> None:
    assert image_of("base") == image.TAG
    assert image_of("research") == "sii-sandbox:research"
    assert image_of("ubuntu:24.04") == "ubuntu:24.04"
    assert [short_name_of(image_of(name)) for name in SII_IMAGES] == list(SII_IMAGES)
    assert short_name_of("ubuntu") is None


def test_the_remedy_of_a_missing_image_is_the_command_that_builds_it() -> None:
    assert build_command(image_of(BASE)) == "sii sandbox build"
    assert build_command(image_of("web")) == "sii sandbox build web"


def test_every_image_has_a_recipe_of_its_own_that_changes_with_its_base(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = [image.recipe(name) for name in SII_IMAGES]
    assert len(set(before)) == len(SII_IMAGES)
    found = image._dockerfile
    changed = tmp_path / "Dockerfile"
    changed.write_text("FROM another")
    monkeypatch.setattr(image, "_dockerfile", lambda name: changed if name == BASE else found(name))
    assert all(old != image.recipe(name) for old, name in zip(before, SII_IMAGES, strict=True))


def test_an_image_built_on_another_is_as_old_as_that() -> None:
    labels = {image.NAME_LABEL: "research", RECIPE_LABEL: image.recipe("research")}
    assert image.is_current(labels)
    assert not image.is_current(labels | {image.NAME_LABEL: "web"})
    assert not image.is_current(labels | {image.NAME_LABEL: "unheard"})
    assert image.is_current({})


@pytest.mark.parametrize("name", ["latest", "web", "UPPER", "a:b", "../x", "-x", ""])
def test_an_own_image_cannot_take_another_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="cannot be called"):
        image.build_own(name, tmp_path)


def test_an_unknown_name_without_a_dockerfile_names_those_there_are() -> None:
    result = CliRunner().invoke(sandbox_command, ["build", "mine"], standalone_mode=False)
    assert "base, research, web" in str(result.exception)


@pytest.mark.docker
def test_images_are_listed_with_size_and_digest_and_missing_ones_are_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing = SiiImage("sii-sandbox:never", "a test")
    monkeypatch.setitem(SII_IMAGES, "never", missing)
    shown = CliRunner().invoke(sandbox_command, ["images"], standalone_mode=False).stdout
    base, *others = shown.splitlines()
    found = next(one for one in image.list_images() if one.name == BASE)
    assert found.digest is not None
    assert base.split()[:2] == ["base", "ready"]
    assert found.digest[7:19] in base
    assert "MB" in base
    assert any(line.split()[:3] == ["never", "missing", "–"] for line in others)


@pytest.mark.docker
def test_an_own_dockerfile_is_built_on_an_image_of_siis(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("ARG BASE\nFROM ${BASE}\nRUN echo there > /added\n")
    name = f"test-{time.time_ns()}"
    try:
        built = image.build_own(name, dockerfile)
        (own,) = (one for one in image.list_images() if one.digest == built)
        assert (own.name, own.state) == (f"sii-sandbox:{name}", "ready")
        assert own.holds == "your own, on base"
        run = ["docker", "run", "--rm", "--network=none", own.tag, "cat", "/added"]
        assert subprocess.run(run, capture_output=True, check=True).stdout == b"there\n"
    finally:
        subprocess.run(["docker", "rmi", f"sii-sandbox:{name}"], capture_output=True)


_INSIDE = {
    "research": (
        "python3 -c 'import pandas, pyarrow, scipy, sklearn, statsmodels.api, openpyxl, nbconvert'",
        "python3 -c 'import pypdfium2, matplotlib.pyplot'",
        "fc-list :lang=zh | grep -q . && fc-list :lang=ja | grep -q .",
    ),
    "web": (
        "node --version && npm --version && fc-list :lang=zh | grep -q .",
        "cd $(mktemp -d) && npm init -y > /dev/null",
        """python3 -c "
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    browser = p.chromium.launch(executable_path='/usr/bin/chromium', args=['--no-sandbox'])
    page = browser.new_page()
    page.set_content('<h1>seen</h1>')
    assert page.inner_text('h1') == 'seen'
    browser.close()
" """,
    ),
}


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize("name", list(_INSIDE))
def test_inside_an_image_there_is_what_it_is_for(name: str) -> None:
    try:
        with locked(cache_folder() / "image.lock"):
            image.ensure_image(name, print)
    except SandboxUnavailable as error:
        pytest.skip(f"{name} could not be built: {str(error)[-300:]}")
    docker = ["docker", "run", "--rm", "--network=none", "--user=4321:4321", "-e", "HOME=/tmp"]
    for command in _INSIDE[name]:
        run = [*docker, SII_IMAGES[name].tag, "bash", "-c", command]
        done = subprocess.run(run, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
