"""Words of others in Markdown, YAML and casts: they stay words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recordings.events import UserMessage
from recordings.export.card import _cell, _license
from recordings.markdown import escape_markdown
from recordings.recorder import Recorder
from recordings.replay.cast import write_cast
from sii_cli.batch.report.markdown import _cell as report_cell
from sii_cli.batch.report.markdown import _table
from tests.recordings.recording_sessions import session_start

pytestmark = pytest.mark.hostile

EVIL = (
    "a | b",
    "a\n| b | c |",
    "</td><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "https://evil.example/path",
    "HTTP://evil.example",
    "www.evil.example",
    "`code` and **bold** and _emphasis_ and ~~gone~~",
    "\\| and \\\\| and \\",
    "&lt;b&gt; &#124;",
    "# heading\n---\n> quote",
    "a\r\nb\u2028c\x85d\x0be",
    "\u202eevil\u2066",
)
BARE = re.compile(r"(?<!\\)[|\[\]`*~]|<(?!/?$)|(?<!\\):(?=//)|www\.", re.IGNORECASE)


def _bare(text: str) -> list[str]:
    """Return what is markup in a text: what no backslash makes a character of."""
    return BARE.findall(re.sub(r"\\[\\|\[\]`*~_:.]", "", text))


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("cell", [_cell, report_cell])
def test_a_cell_holds_no_markup(text: str, cell: object) -> None:
    said = cell(text)  # type: ignore[operator]
    assert not _bare(said), said
    assert len(said.splitlines()) == 1
    assert "<" not in said


@given(st.text(max_size=60))
def test_what_is_escaped_reads_as_before(text: str) -> None:
    line = " ".join(text.split())
    escaped = escape_markdown(line)
    assert not _bare(escaped)
    read = re.sub(r"\\([\\|\[\]`*~_:.])", r"\1", escaped)
    assert read.replace("&lt;", "<").replace("&amp;", "&") == line


def test_a_table_keeps_its_columns() -> None:
    rows = [(text, text) for text in EVIL]
    lines = _table(("one", "two"), rows).split("\n")
    assert len(lines) == len(EVIL) + 2
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines} == {3}


@pytest.mark.parametrize(
    "name",
    [
        *("mit", "MIT", "Apache-2.0", "no", "null", "1.0", "2026-01-01", "", "~", "*a", "&b", "!c"),
        *("a: b", "mit\ntags:\n- evil", '"', "it's", "# none", "- x", "{a}", "\x00\x1b", "日本語"),
        *("[a](https://evil.example)", "\u202e", "x" * 200),
    ],
)
def test_a_licence_is_one_text_of_the_front_matter(name: str) -> None:
    front = yaml.safe_load("\n".join(_license([name])))
    assert set(front) <= {"license", "license_name"}
    assert all(isinstance(value, str) for value in front.values())
    if name in ("mit", "MIT", "Apache-2.0"):
        assert front == {"license": name.lower()}


def test_several_licences_are_other() -> None:
    assert yaml.safe_load("\n".join(_license(["a", "b"]))) == {"license": "other"}


def test_a_cast_holds_no_mark_that_reorders_or_hides(tmp_path: Path) -> None:
    evil = "a\u202eb\u2066c\u200fd\u2028e\ufff9f\U000e0041g\x1b]0;h\x07\x9b2J"
    folder = tmp_path / "session"
    folder.mkdir()
    recorder = Recorder.create(folder, "session")
    recorder.record(session_start(), "harness")
    recorder.record(UserMessage(round=1, text=evil), "human")
    recorder.close()
    write_cast(folder, tmp_path / "out.cast")
    texts = [json.loads(line) for line in (tmp_path / "out.cast").read_text("utf-8").splitlines()]
    shown = texts[0]["title"] + "".join(text for _, _, text in texts[1:])
    assert not re.search(
        "[\u202a-\u202e\u2066-\u2069\u200e\u200f\u2028\ufff9\U000e0041\x9b]", shown
    )
    assert "\x1b]" not in shown
