"""Query files of every kind are read alike, and every mistake is told with its line."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sii_cli.batch.plan.plan import sha256_of
from sii_cli.errors import UsageError
from sii_cli.queries.queries import Query, query_schema
from sii_cli.queries.query_files import read_query_file
from sii_cli.queries.validate import validate

QUERY = {
    "id": "sum",
    "query": "Add the numbers,\nplease.",
    "followups": ["And now?"],
    "env": {"LANG": "C"},
    "limits": {"steps": 5},
    "check": "test -f sum.txt",
    "tags": ["maths"],
}
YAML = """\
- id: sum
  query: |-
    Add the numbers,
    please.
  followups: [And now?]
  env: {LANG: C}
  limits: {steps: 5}
  check: test -f sum.txt
  tags: [maths]
"""
CSV = """\
id,query,followups,env,limits,check,tags
sum,"Add the numbers,
please.","[""And now?""]","{""LANG"": ""C""}","{""steps"": 5}",test -f sum.txt,maths
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def mistakes(path: Path) -> list[str]:
    return [f"{one.line}: {one.text}" for one in validate(path).mistakes]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", json.dumps(QUERY)),
        ("q.yaml", YAML),
        ("q.yml", "queries:\n" + YAML),
        ("q.csv", CSV),
    ],
)
def test_every_kind_of_file_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    read = read_query_file(write(tmp_path, name, text))
    assert read.mistakes == ()
    assert read.queries == (Query.model_validate(QUERY),)


def test_plain_lines_are_queries_named_by_their_lines(tmp_path: Path) -> None:
    read = read_query_file(write(tmp_path, "q.txt", "First task\n\nSecond: {task}\n"))
    assert [(query.id, query.query) for query in read.queries] == [
        ("line-1", "First task"),
        ("line-3", "Second: {task}"),
    ]


def test_all_mistakes_are_found_at_once_each_with_its_line(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "query": "x"}',
        '{"id": "a", "query": "x"}',
        '{"id": "b", "querry": "x"}',
        "{not json",
        '{"id": "c", "query": "  "}',
        '{"id": "d/../e", "query": "x"}',
        "[1, 2]",
        '{"id": "f", "query": "x", "limits": {"steps": 0}}',
        '{"id": "g", "query": "x", "workspace": "nowhere"}',
        '{"id": "h", "query": "x", "tools": ["bash", "sudo"]}',
    ]
    found = mistakes(write(tmp_path, "q.jsonl", "\n".join(lines)))
    assert [line.split(":")[0] for line in found] == [*"2334", *"56789", "10"]
    assert found[0] == "2: id: 'a' is taken by line 1."
    assert "did you mean 'query'?" in " ".join(found[1:3])
    assert "not valid JSON" in found[3]
    assert "nowhere is neither a directory" in found[8]
    assert "there is no 'sudo'" in found[9]


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ({"workspace": {"git": ".", "commit": "main"}}, "workspace.commit: wants a commit's hash"),
        ({"workspace": {"git": "."}}, "workspace.commit: is missing."),
        ({"workspace": 5}, "workspace: wants a path, or an object with `git` and `commit`."),
        ({"workspace": ""}, "workspace: wants a text that is not empty"),
        ({"id": "a b"}, "id: wants a letter or digit, then up to 99 letters, digits, dots"),
        ({"followups": "one"}, "followups: wants a list."),
        ({"limits": 3}, "limits: wants an object."),
        ({"limits": {"seconds": 1e400}}, "limits.seconds: wants a finite number."),
        ({"env": {"1A": "x"}}, "env.1A: wants a variable's name."),
        ({"env": {"A": "\0"}}, "env.A: wants a text without NUL characters."),
        ({"setup": ["\0"]}, "setup.0: wants a text that is not empty and holds no NUL"),
        ({"allow_net": ["http://x/"]}, "allow_net: "),
    ],
)
def test_a_mistake_is_told_once_and_in_plain_words(
    tmp_path: Path, field: dict[str, object], words: str
) -> None:
    text = json.dumps({"id": "a", "query": "x"} | field).replace("Infinity", "1e400")
    [found] = mistakes(write(tmp_path, "q.jsonl", text))
    assert found.startswith(f"1: {words}")


def test_a_field_that_is_given_twice_is_a_mistake(tmp_path: Path) -> None:
    text = '{"id": "a", "query": "x", "check": "true", "check": "false"}'
    assert mistakes(write(tmp_path, "q.jsonl", text)) == [
        "1: not valid JSON: 'check' is given twice."
    ]


def test_a_mistake_in_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    text = "- id: a\n  query: x\n- id: b\n  query: [1]\n"
    assert mistakes(write(tmp_path, "q.yaml", text))[0].startswith("3: query")
    [broken] = mistakes(write(tmp_path, "r.yaml", "- id: a\n  query: 'x\n"))
    assert "not valid YAML" in broken
    [no_list] = mistakes(write(tmp_path, "s.yaml", "id: a\n"))
    assert "a list of queries is wanted" in no_list


def test_csv_with_too_many_cells_is_a_mistake(tmp_path: Path) -> None:
    assert mistakes(write(tmp_path, "q.csv", "id,query\na,x,y\n")) == [
        "2: more cells than the header has columns."
    ]


@pytest.mark.parametrize(("data", "words"), [(b"", "no query"), (b"\xff\xfe", "UTF-8")])
def test_a_file_without_queries_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    path = tmp_path / "q.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=words):
        read_query_file(path)


def test_a_commit_that_a_repository_lacks_is_a_mistake(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "repo"], check=True)
    workspace = {"git": "repo", "commit": "deadbeef"}
    text = json.dumps({"id": "a", "query": "x", "workspace": workspace})
    assert mistakes(write(tmp_path, "q.jsonl", text)) == [
        "1: workspace: repo: it has no commit deadbeef."
    ]


@given(st.text(max_size=300), st.sampled_from([".jsonl", ".yaml", ".csv", ".txt"]))
def test_no_text_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, text: str, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"wild{ending}"
    path.write_text(text, "utf-8", errors="replace")
    try:
        read = read_query_file(path)
    except UsageError:
        return
    assert read.queries or read.mistakes


def test_five_thousand_queries_are_validated_quickly(tmp_path: Path) -> None:
    lines = [json.dumps(QUERY | {"id": f"q{n}", "workspace": "."}) for n in range(5000)]
    path = write(tmp_path, "q.jsonl", "\n".join(lines))
    began = time.process_time()
    assert len(validate(path).queries) == 5000
    assert time.process_time() - began < 10  # 2 s are the aim, see benchmarks/bench_batch.py


def test_the_schema_describes_every_field() -> None:
    assert query_schema()["properties"].keys() == Query.model_fields.keys()
    assert query_schema()["required"] == ["id", "query"]


def test_the_hash_is_of_what_the_queries_say_not_of_the_file(tmp_path: Path) -> None:
    as_json = read_query_file(write(tmp_path, "q.jsonl", json.dumps(QUERY)))
    as_yaml = read_query_file(write(tmp_path, "q.yaml", YAML))
    assert sha256_of(as_json.queries) == sha256_of(as_yaml.queries)
