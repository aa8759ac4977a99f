"""The sandbox image: what goes into it, when it is built again, and what is said when it cannot."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from sandbox.docker import debian_base, image
from sandbox.docker.sii_images import BASE
from sandbox.protocol import SandboxUnavailable


@pytest.fixture
def certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "certificates"
    folder.mkdir()
    monkeypatch.setattr(image, "CERTIFICATES", folder)
    return folder


def _context() -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(image._build_context(image._dockerfile(BASE)))) as archive:
        files = {member.name: archive.extractfile(member) for member in archive}
        return {name: file.read() for name, file in files.items() if file is not None}


def test_a_machines_own_certificates_go_into_the_build_and_change_the_recipe(
    certificates: Path,
) -> None:
    before = image.recipe()
    (certificates / "ours.crt").write_bytes(b"certificate")

    assert _context()["host/certificates/ours.crt"] == b"certificate"
    assert image.recipe() != before


def test_pip_in_the_build_gets_the_hosts_index_but_no_path_of_the_host(
    certificates: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "pip.conf"
    settings.write_text(
        "[global]\n"
        "index-url = https://packages.example/simple\n"
        "extra-index-url = file:///srv/wheels\n    https://more.example/simple\n"
        "find-links = /srv/wheels\n"
        "cert = /etc/ours.pem\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_INDEX_URL", "https://nearer.example/simple")

    assert _context()["host/pip.conf"].decode() == (
        "[global]\n"
        "extra-index-url = https://more.example/simple\n"
        "index-url = https://nearer.example/simple\n"
    )


def test_without_an_engine_one_sentence_tells_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    monkeypatch.setattr("sys.argv", ["image"])

    assert image.main() == 1
    assert capsys.readouterr().err == (
        "No Docker engine answers: start it (`make engine` installs and starts one as root), "
        "or join the docker group if it runs.\n"
    )


def test_a_failing_command_is_told_with_its_last_words() -> None:
    with pytest.raises(SandboxUnavailable, match=r"`sh` failed.*\nno mirror"):
        debian_base._run(["sh", "-c", "echo no mirror; exit 3"])


@pytest.mark.docker
def test_an_image_of_the_same_recipe_is_not_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(image, "build_image", lambda *_: pytest.fail("built again"))

    assert image.ensure_image(progress=said.append).startswith("sha256:")
    assert said == []


@pytest.mark.docker
@pytest.mark.parametrize(
    "command",
    [
        "python3 -c 'import sys; assert sys.version_info >= (3, 11)'",
        "python3 -c 'import IPython, matplotlib.pyplot, numpy, pytest, requests'",
        "git --version && rg --version && curl --version && jq --version && less --version",
        "echo 'int main(void) { return 0; }' > /tmp/a.c && cc -o /tmp/a /tmp/a.c && /tmp/a",
        'test ! -e /host && test -z "$(pip config get global.index-url 2>/dev/null)"',
    ],
)
def test_inside_there_is_what_the_model_works_with(command: str, sandbox_image: str) -> None:
    docker = ["docker", "run", "--rm", "--network=none", "--user=4321:4321", sandbox_image]
    done = subprocess.run([*docker, "bash", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
