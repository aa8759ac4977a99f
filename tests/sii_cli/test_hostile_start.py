"""A workspace full of modules and programs with common names: none of them is run by `sii`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tools.web.fetch import FetchResult
from tools.web.page import read_page

pytestmark = pytest.mark.hostile

ROOT = Path(__file__).parents[2]
OPTIONAL = {"brotli", "brotlicffi", "chardet", "h2", "simplejson", "socks", "zstd", "ujson"}
"""What libraries use if it is there."""
BY_PYTHONPATH = {"encodings", "codecs", "sitecustomize", "usercustomize", "_distutils_hack", "site"}
"""What Python imports from PYTHONPATH as it starts, unless it is told not to (`-I`, `-E`)."""
NAMES = (
    {name for name in sys.stdlib_module_names if not name.startswith("__phello")}
    | {name for name in packages_distributions() if name.isidentifier()}
    | OPTIONAL
    | BY_PYTHONPATH
    | {"sii_cli", "tools", "recordings", "sandbox", "tests", "__future__"}
)
PROGRAMS = ("git", "readlink", "python3", "sh", "bwrap", "docker", "env", "dirname")


class Workspace:
    """A directory in which whatever is imported or run leaves a mark."""

    def __init__(self, root: Path) -> None:
        self.path = root / "workspace"
        self.marks = root / "marks"
        self.home = root / "home"
        for folder in (self.path / "sub", self.marks, self.home):
            folder.mkdir(parents=True)
        for folder in (self.path, self.path / "sub"):
            for name in NAMES:
                (folder / f"{name}.py").write_text(f"open({str(self.marks / name)!r}, 'w')\n")
            for name in PROGRAMS:
                (folder / name).write_text(f"#!/bin/sh\n: > {self.marks / name}.program\n")
                (folder / name).chmod(0o755)

    def without(self, names: set[str]) -> None:
        for folder in (self.path, self.path / "sub"):
            for name in names:
                (folder / f"{name}.py").unlink()

    def run(self, *command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SII_")}
        kept.pop("PYTHONPATH", None)
        settings = {"SII_HOME": str(self.home), "SII_BASE_URL": "http://127.0.0.1:9/v1"}
        return subprocess.run(
            list(map(str, command)),
            cwd=self.path,
            env=kept | settings | {"SII_RETRIES": "0"} | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    def marked(self) -> list[str]:
        return sorted(os.listdir(self.marks))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def sii(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command as it is installed: the script beside the environment's python."""
    folder = tmp_path_factory.mktemp("bin")
    shutil.copy(ROOT / "scripts" / "sii", folder / "sii")
    (folder / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python3").chmod(0o755)
    return folder / "sii"


PATHS = ("", ":", ":/x", "/x:", ".", "./sub", "sub:..", "{workspace}", "{workspace}/sub", "{link}")
COMMANDS = (("list",), ("-p", "hello"), ("batch", "--validate", "q.jsonl"), ("doctor",))


def of(text: str, workspace: Workspace) -> str:
    link = workspace.path.parent / "link"
    if not link.is_symlink():
        link.symlink_to(workspace.path)
    return text.format(workspace=workspace.path, link=link)


@pytest.mark.parametrize("path", PATHS)
def test_the_command_imports_nothing_of_the_workspace(
    workspace: Workspace, sii: Path, path: str
) -> None:
    done = workspace.run(sii, "list", PYTHONPATH=of(path, workspace))
    assert done.returncode == 0, done.stderr
    assert workspace.marked() == []


@pytest.mark.parametrize("arguments", COMMANDS)
def test_no_command_imports_or_runs_anything_of_the_workspace(
    workspace: Workspace, sii: Path, arguments: tuple[str, ...]
) -> None:
    (workspace.path / "q.jsonl").write_text('{"id": "a", "query": "x", "workspace": "sub"}\n')
    path = f".:{workspace.path}::sub:{workspace.path}/sub:{os.environ['PATH']}"
    done = workspace.run(sii, *arguments, PYTHONPATH=f":sub:{workspace.path}/sub:", PATH=path)
    assert "a fault of sii" not in done.stderr
    assert "Traceback" not in done.stderr
    assert workspace.marked() == []


def test_the_command_is_found_through_links_and_path(workspace: Workspace, sii: Path) -> None:
    (workspace.home / "first").symlink_to(sii)
    (workspace.home / "second").symlink_to("first")
    assert workspace.run(workspace.home / "second", "--version").stdout.startswith("sii ")
    path = f".:{sii.parent}:{os.environ['PATH']}"
    assert workspace.run("/bin/sh", "-c", "sii --version", PATH=path).stdout.startswith("sii ")
    assert workspace.marked() == []


@pytest.fixture(scope="module")
def before_us() -> set[str]:
    """What Python has imported of its own when `python -m` comes to a module's first line."""
    code = "import sys, runpy; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split()) | {"sii_cli"}


@pytest.mark.parametrize("module", ["sii_cli", "sii_cli.main"])
@pytest.mark.parametrize("arguments", [("list",), ("-p", "hello")])
def test_the_module_imports_nothing_of_the_workspace(
    workspace: Workspace, before_us: set[str], module: str, arguments: tuple[str, ...]
) -> None:
    workspace.without(before_us & NAMES)
    done = workspace.run(sys.executable, "-m", module, *arguments)
    assert "Traceback" not in done.stderr
    assert workspace.marked() == []


@pytest.mark.parametrize("path", PATHS)
def test_the_module_imports_nothing_through_pythonpath(
    workspace: Workspace, before_us: set[str], path: str
) -> None:
    workspace.without((before_us | BY_PYTHONPATH) & NAMES)
    listed = of(path, workspace)
    done = workspace.run(sys.executable, "-m", "sii_cli", "list", PYTHONPATH=listed)
    assert done.returncode == 0, done.stderr
    assert workspace.marked() == []


CODE = "from sii_cli.import_path import clean; clean(); import sys\n"


def after_clean(workspace: Workspace, code: str, **env: str) -> str:
    start = f"import sys; sys.path.append({str(ROOT)!r})\n"
    done = workspace.run(sys.executable, "-I", "-c", start + CODE + code, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_pythonpath_comes_last_and_relative_entries_go(workspace: Workspace) -> None:
    extra = workspace.home / "extra"
    extra.mkdir()
    (extra / "only_there.py").write_text("")
    (extra / "click.py").write_text("raise SystemExit('not this one')")
    code = "import only_there, click, os; print(sys.path[-1], os.environ['PYTHONPATH'])"
    listed = f":sub:{extra}:{workspace.path}:{workspace.path}/sub"
    assert after_clean(workspace, code, PYTHONPATH=listed) == f"{extra} {extra}"


def test_children_inherit_no_folder_of_the_workspace(workspace: Workspace) -> None:
    code = "import os; print(os.environ['PATH'], os.environ['LD_LIBRARY_PATH'])"
    path = f".::/usr/bin:{workspace.path}:/bin"
    said = after_clean(workspace, code, PATH=path, LD_LIBRARY_PATH=":/usr/lib")
    assert said == "/usr/bin:/bin /usr/lib"


def test_a_workspace_elsewhere_is_left_out_once_it_is_known(workspace: Workspace) -> None:
    other = workspace.home / "project"
    (other / "src").mkdir(parents=True)
    code = "from sii_cli.import_path import leave_out\n"
    code += f"print(sys.path[-1]); leave_out({str(other)!r}); print(sys.path[-1])"
    before, after = after_clean(workspace, code, PYTHONPATH=str(other / "src")).split()
    assert before == str(other / "src")
    assert after != before


def test_no_program_of_a_workspace_elsewhere_is_run(workspace: Workspace, sii: Path) -> None:
    other = workspace.home / "project"
    (other / "bin").mkdir(parents=True)
    (other / "bin" / "bwrap").write_text(f"#!/bin/sh\n: > {workspace.marks / 'bwrap'}\n")
    (other / "bin" / "bwrap").chmod(0o755)
    path = f"{other}/bin:{os.environ['PATH']}"
    arguments = ("-p", "hello", "--sandbox", "bubblewrap", "--workspace", other)
    workspace.run(sii, *arguments, PATH=path)
    assert workspace.marked() == []
    code = f"from sii_cli.import_path import leave_out; leave_out({str(other)!r})\n"
    code += "import os; print(os.environ['PATH'], os.environ['LD_LIBRARY_PATH'])"
    path = f"/usr/bin:{other}:{other}/bin:/bin"
    said = after_clean(workspace, code, PATH=path, LD_LIBRARY_PATH=f"/usr/lib:{other}/lib")
    assert said == "/usr/bin:/bin /usr/lib"


def test_packages_of_our_names_elsewhere_do_not_matter(workspace: Workspace, sii: Path) -> None:
    project = workspace.home / "project"
    for name in ("tools", "sandbox", "recordings", "sii_cli"):
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("raise SystemExit('not ours')")
    done = workspace.run(sii, "-p", "hello", PYTHONPATH=str(project))
    assert "not ours" not in done.stderr
    shadowed = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}]\n{CODE}sys.path[:0] = [{str(project)!r}]"
    )
    done = workspace.run(sys.executable, "-I", "-c", f"{shadowed}\nimport tools.registry, sandbox")
    assert done.returncode == 0, done.stderr


def test_files_that_another_package_has_replaced_are_told_in_a_sentence(
    workspace: Workspace,
) -> None:
    site = workspace.home / "site"
    for name in ("tools", "sandbox", "recordings", "sii_cli"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    (site / "tools" / "registry.py").unlink()
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{CODE}"
    code += "from sii_cli.main import main; main()"
    done = workspace.run(sys.executable, "-I", "-c", code, "-p", "hello")
    assert done.returncode == 1
    assert "another package" in done.stderr
    assert "tools.registry" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("package", ["tools", "sandbox", "recordings"])
@pytest.mark.parametrize("content", [None, "", '"""Tools of another project."""\n'])
def test_a_package_that_another_distribution_has_overwritten_is_refused(
    workspace: Workspace, package: str, content: str | None
) -> None:
    site = workspace.home / "site"
    for name in ("tools", "sandbox", "recordings", "sii_cli"):
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    init = site / package / "__init__.py"
    init.unlink()
    if content is not None:
        init.write_text(content)
    code = f"import sys; sys.path.insert(0, {str(site)!r})\n{CODE}"
    done = workspace.run(sys.executable, "-I", "-c", code, PYTHONPATH=str(workspace.home))
    assert done.returncode == 1
    assert done.stderr == (
        f"sii: {init} is missing or belongs to another distribution: install sii into an "
        "environment of its own (pipx, uv tool).\n"
    )


async def test_a_page_is_converted_without_the_workspace(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.path)
    monkeypatch.setenv("PYTHONPATH", f":.:{workspace.path}:sub")
    monkeypatch.setattr(sys, "path", ["", str(workspace.path), *sys.path])
    html = b"<html><body><h1>Title</h1><p>Words of a page.</p></body></html>"
    page = await read_page(
        FetchResult("http://example.org/", 200, "OK", "text/html", "utf-8", html)
    )
    assert "Words of a page." in page.text
    assert "<h1>" not in page.text
    assert workspace.marked() == []
