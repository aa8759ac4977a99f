"""A grant holds for exactly what was shown, and only as this home's own word."""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from recordings.trust.grants import GRANTS, GrantKind, grant, is_granted
from recordings.trust.home_key import KEY, home_key

ASKED: tuple[GrantKind, str, str] = ("project_settings", "/srv/project/.sii/config.toml", "ab" * 32)


def test_what_was_never_allowed_is_not(tmp_path: Path) -> None:
    assert not is_granted(tmp_path, *ASKED)
    assert os.listdir(tmp_path) == []


def test_a_grant_holds_for_what_was_shown_alone(tmp_path: Path) -> None:
    grant(tmp_path, *ASKED)
    kind, name, sha256 = ASKED
    assert is_granted(tmp_path, kind, name, sha256)
    assert not is_granted(tmp_path, kind, name, "cd" * 32)
    assert not is_granted(tmp_path, kind, name + "2", sha256)
    assert not is_granted(tmp_path, "query_file", name, sha256)


def test_a_line_that_this_home_did_not_write_allows_nothing(tmp_path: Path) -> None:
    grant(tmp_path / "theirs", *ASKED)
    home_key(tmp_path / "ours")
    planted = (tmp_path / "theirs" / GRANTS).read_bytes()
    (tmp_path / "ours" / GRANTS).write_bytes(b"[]\n{\n" + planted + b'{"kind": 1}\n')
    assert not is_granted(tmp_path / "ours", *ASKED)


def test_a_line_whose_name_was_changed_allows_nothing(tmp_path: Path) -> None:
    grant(tmp_path, *ASKED)
    line = orjson.loads((tmp_path / GRANTS).read_bytes())
    (tmp_path / GRANTS).write_bytes(orjson.dumps({**line, "sha256": "cd" * 32}))
    assert not is_granted(tmp_path, ASKED[0], ASKED[1], "cd" * 32)


def test_without_its_key_a_home_has_allowed_nothing(tmp_path: Path) -> None:
    grant(tmp_path, *ASKED)
    (tmp_path / KEY).unlink()
    assert not is_granted(tmp_path, *ASKED)


def test_a_pipe_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    home_key(tmp_path)
    os.mkfifo(tmp_path / GRANTS)
    assert not is_granted(tmp_path, *ASKED)
