"""A query: a task as data. Its fields, and their JSON schema."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

TEXT = r"^[^\x00]*[^\x00\s][^\x00]*$"
VALUE = r"^[^\x00]*$"
ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
_STEP = r"(?:[^/\x00.][^/\x00]*|\.(?:[^/\x00.][^/\x00]*)?|\.\.[^/\x00]+)"
PATTERN = rf"^{_STEP}(?:/{_STEP})*/?$"
COMMIT = r"^[0-9a-fA-F]{7,64}$"
WANTED = {
    TEXT: "a text that is not empty and holds no NUL character",
    VALUE: "a text without NUL characters",
    ID: "a letter or digit, then up to 99 letters, digits, dots, hyphens or underscores",
    VARIABLE: "a variable's name",
    PATTERN: "a path below the workspace, without `..`",
    COMMIT: "a commit's hash, of 7 hexadecimal digits or more",
}
"""What the patterns ask for, in words."""

Text = Annotated[str, StringConstraints(pattern=TEXT)]
Value = Annotated[str, StringConstraints(pattern=VALUE)]
QueryId = Annotated[str, StringConstraints(pattern=ID)]
FilePattern = Annotated[str, StringConstraints(pattern=PATTERN)]
VariableName = Annotated[str, StringConstraints(pattern=VARIABLE)]


class Part(BaseModel):
    """What is written in a query file: nothing but what is declared, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class GitWorkspace(Part):
    """A repository at a commit."""

    git: Text = Field(description="URL, or path of a repository (relative to the query file).")
    commit: Annotated[str, StringConstraints(pattern=COMMIT)] = Field(
        description="The commit to check out, by its hash: a branch would move."
    )


class QueryLimits(Part):
    """When a session of this query is stopped."""

    steps: int | None = Field(None, ge=1, description="Steps of one round.")
    tokens: int | None = Field(None, ge=1, description="Tokens generated in the whole session.")
    seconds: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="Wall time of the whole session."
    )
    output: int | None = Field(None, ge=1 << 10, description="Bytes kept of a command's output.")


class Query(Part):
    """One task. Paths are relative to the query file."""

    id: QueryId = Field(description="Names the query in tables and recordings; unique in the file.")
    query: Text = Field(description="The first user message.")
    followups: tuple[Text, ...] = Field(
        (), description="Further user messages, each sent when the round before has ended."
    )
    workspace: Text | GitWorkspace | None = Field(
        None, description="A directory, a tarball, or a git repository; each session gets a copy."
    )
    image: Text | None = Field(
        None, description="Image of the sandbox: base, research, web or a Docker image."
    )
    data: tuple[Text, ...] = Field(
        (), description="Data sets of the home, by name; shown read-only at /data/NAME."
    )
    setup: tuple[Text, ...] = Field((), description="Commands run before the first message.")
    env: dict[VariableName, Value] = Field({}, description="Variables of the sandbox; no secrets.")
    allow_net: tuple[Text, ...] = Field((), description="Hosts that the sandbox may reach.")
    tools: tuple[Text, ...] = Field((), description="Tools that the model may call; empty: all.")
    limits: QueryLimits = QueryLimits()
    check: Text | None = Field(
        None,
        description="A command run in a fresh sandbox after each round: exit code 0 is solved.",
    )
    pass_at: float | None = Field(
        None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The score at which the query is solved, for a check that reports one: it "
        "then decides alone. Without it: exit code 0 and, where a score is reported, 1.",
    )
    check_files: tuple[FilePattern, ...] = Field(
        (),
        description="Files and folders of the workspace that the check takes as the query has "
        "them, whatever the session did to them: paths, with * and **.",
    )
    rubric: Text | None = Field(None, description="What a reviewer should look at.")
    tags: tuple[Text, ...] = ()
    author: Text | None = Field(
        None,
        description="Pseudonym of who wrote the query: that person's verdict on its recordings "
        "does not count.",
    )
    source: Text | None = Field(None, description="Where the query comes from.")
    license: Text | None = Field(None, description="Licence of the query and its workspace.")


def query_schema() -> dict[str, Any]:
    """Return the JSON schema of one query, as `sii batch --schema` prints it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Query.model_json_schema(),
    }
