"""Cleans where Python looks for modules: what lies in a workspace is never imported.

`clean` comes before every other import of the program, so this file imports only what is built in
or frozen into the interpreter (`from __future__` would read a file, too).
"""

import _frozen_importlib_external as external
import _signal  # type: ignore[import-not-found]  # `signal` reads files
import os
import sys

PACKAGES = ("recordings", "sandbox", "sii_cli", "tools")
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_MARK = b'\n__distribution__ = "sii-cli"\n'
"""Stands near the beginning of each package of sii."""
_LISTS = ("PATH", "LD_LIBRARY_PATH")
"""Lists of folders in the environment in which an empty entry means the working directory."""


TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


class _OwnPackages:
    """Finds our own packages where this file lies, whatever else has their names."""

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> "ModuleSpec | None":
        """Find a package of sii; nothing else (see `importlib.abc.MetaPathFinder`)."""
        if path is None and name in PACKAGES:
            return external.PathFinder.find_spec(name, [_OWN])
        return None


_own_packages = _OwnPackages()


def clean_if_program() -> None:
    """Clean if this process was started as `sii`, and is not another program that imports it.

    Until `handle_interrupts`, Ctrl-C ends such a process without a traceback.
    """
    program = sys.modules["__main__"]
    spec = getattr(program, "__spec__", None)
    name = spec.name if spec is not None else os.path.basename(getattr(program, "__file__", ""))
    if name.split(".")[0] in ("sii_cli", "sii"):
        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
        clean()


def handle_interrupts() -> None:
    """Have Ctrl-C raise `KeyboardInterrupt`, unless the parent of the process ignores it."""
    if _signal.getsignal(_signal.SIGINT) == _signal.SIG_DFL:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def clean() -> None:
    """Find our own packages first, nothing in the working directory, and PYTHONPATH's last.

    Children inherit an environment without such entries. Exits with a sentence when another
    distribution has overwritten a package of sii.
    """
    _refuse_overwritten()
    if _own_packages not in sys.meta_path:
        sys.meta_path.insert(0, _own_packages)
    listed = os.environ.pop("PYTHONPATH", "")
    theirs = {os.path.abspath(entry) for entry in listed.split(os.pathsep)} if listed else set()
    found = [os.path.abspath(entry) for entry in sys.path]
    sys.path[:] = [
        entry
        for entry in sys.path
        if _is_installation(entry) or not (_is_here(entry) or os.path.abspath(entry) in theirs)
    ]
    if sys.pycache_prefix is not None and not os.path.isabs(sys.pycache_prefix):
        sys.pycache_prefix = None
    for name in _LISTS:
        if name in os.environ:
            entries = os.environ[name].split(os.pathsep)
            os.environ[name] = os.pathsep.join(e for e in entries if e and not _is_here(e))
    last = [_OWN] if _OWN in found else []  # a checkout, which may be the working directory
    if listed:
        from sandbox.host_programs import safe_folders

        last = [*safe_folders(listed), *last]
    for entry in last:
        if entry not in sys.path:
            sys.path.append(entry)
    if kept := [entry for entry in last if entry in theirs]:
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(kept))


def _refuse_overwritten() -> None:
    for package in PACKAGES:
        file = os.path.join(_OWN, package, "__init__.py")
        try:
            with open(file, "rb") as opened:
                is_own = _MARK in opened.read(4096)
        except OSError:
            is_own = False
        if not is_own:
            sys.stderr.write(
                f"sii: {file} is missing or belongs to another distribution: install sii into an "
                "environment of its own (pipx, uv tool).\n"
            )
            sys.exit(1)


def leave_out(folder: str) -> None:
    """Import and run nothing of a workspace, wherever it is: what works there can write to it."""
    if _own_packages in sys.meta_path:
        from sandbox.host_programs import is_below, safe_folders

        for name in (*_LISTS, "PYTHONPATH"):
            if name in os.environ:
                os.environ[name] = os.pathsep.join(safe_folders(os.environ[name], folder))
        sys.path[:] = [
            entry for entry in sys.path if _is_installation(entry) or not is_below(entry, folder)
        ]


def _is_here(entry: str) -> bool:
    """Whether a folder is relative to the working directory, or the working directory itself."""
    if not os.path.isabs(entry):
        return True
    try:
        return os.path.samefile(entry, os.curdir)
    except OSError:
        return False


def _is_installation(entry: str) -> bool:
    """Whether an entry is of the Python that runs us: its library, its installed packages."""
    prefixes = (sys.prefix, sys.base_prefix)
    return os.path.isabs(entry) and any(
        entry.startswith(os.path.join(prefix, "lib")) for prefix in prefixes
    )
