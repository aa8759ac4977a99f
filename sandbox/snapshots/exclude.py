"""Which paths of a workspace are left out of its snapshots, and not touched by a restore."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fnmatch import translate


class Exclude:
    """Globs: without a slash they match names at any depth, with one the path from the top.

    In a path `*` matches slashes too. What an excluded directory holds is excluded with it.
    """

    def __init__(self, globs: Iterable[str]) -> None:
        trimmed = [glob.rstrip("/") for glob in globs]
        self._names = _union(glob for glob in trimmed if "/" not in glob)
        self._paths = _union(glob.lstrip("/") for glob in trimmed if "/" in glob)

    def __bool__(self) -> bool:
        return self._names is not None or self._paths is not None

    def matches(self, parent: str, name: str) -> bool:
        """Whether `name` in the directory `parent` (empty, or ending in a slash) is left out."""
        if self._names is not None and self._names.match(name):
            return True
        return self._paths is not None and self._paths.match(parent + name) is not None


def _union(globs: Iterable[str]) -> re.Pattern[str] | None:
    patterns = [translate(glob) for glob in globs]
    return re.compile("|".join(patterns)) if patterns else None


class ExcludedPaths(Exclude):
    """An exclusion, and single paths that a restore leaves as they are."""

    def __init__(self, exclude: Exclude, paths: Collection[str]) -> None:
        self._exclude = exclude
        self._left = frozenset(paths)

    def __bool__(self) -> bool:
        return bool(self._left) or bool(self._exclude)

    def matches(self, parent: str, name: str) -> bool:
        """Return whether an entry of a directory is left alone."""
        return f"{parent}{name}" in self._left or self._exclude.matches(parent, name)
