"""The settings: what there is to set, and where each value comes from.

Flags > environment > the project's file, once it is trusted > the user's file > defaults. A
project's file that is not trusted only makes stricter what nobody set (`project_settings.py`).
Values are checked in `config_sources.py`, so that this module is quick to import.
"""

# ruff: noqa: RUF009 (a setting is declared by a call; what it returns is a dataclass field)

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sandbox.backends import DEFAULT_BACKEND
from sii_cli.config.paths import expanded
from tools.web.search_providers.registry import DEFAULT_SEARCH

if TYPE_CHECKING:
    from sii_cli.config.types import (
        Backend,
        Bytes,
        Count,
        CountOrZero,
        Cpus,
        DataNames,
        Email,
        Fraction,
        Hosts,
        Image,
        Integer,
        KeepReasoning,
        Lines,
        Mounts,
        Name,
        Names,
        OutputBytes,
        PathValue,
        PermissionRules,
        PrivateHosts,
        SearchName,
        Seconds,
        Secret,
        Switch,
        Temperature,
        Url,
        Urls,
        Variables,
    )
    from tools.web.settings import WebSettings

CONFIG_FILE = "config.toml"
WEB_FOLDER = "web"
"""The folder of a home with the answers of web services (`tools.web.services`)."""
KEY_SETTINGS = ("api_key", "search_key")
"""Settings whose values are secrets."""
COLLECTION = "collection"
"""The table of the user's file that says what a home is to hold (`config/collection.py`)."""
PROJECT_FOLDER = ".sii"
BATCH_FILE = "batch.json"
BATCH_QUERIES = "queries.jsonl"
"""What makes a folder a batch's."""
_DEFAULT_HOME = "~/.sii"
KEY_HOME = "SII_KEY_HOME"
"""The variable that names the user's home where `SII_HOME` names a batch's folder."""

Place = Literal["flag", "environment", "project", "user"]
"""Where a value may be set, the strongest first."""

ANYWHERE: tuple[Place, ...] = ("flag", "environment", "project", "user")
OWN: tuple[Place, ...] = ("flag", "environment", "user")
"""Not by a project: a cloned repository, or the model that works in it, must not widen what it
may reach or use up, nor choose who reads along."""
FILES: tuple[Place, ...] = ("environment", "project", "user")
"""Agreed on once, not said with every command."""
SECRET: tuple[Place, ...] = ("environment", "user")
"""Never on a command line, which every user of the machine can read."""
OWN_FILES: tuple[Place, ...] = ("environment", "user")
"""Seldom changed, and not by a project."""
OWN_FILE: tuple[Place, ...] = ("user",)
"""Written down, so that no single command and no variable opens it."""
AT_START: tuple[Place, ...] = ("flag", "environment")
"""Needed to find the project's file."""
HOME: tuple[Place, ...] = ("environment",)
"""Needed by every command, to find the user's file and the recordings."""

Stricter = Literal["lower", "fewer", "on"]
"""How a value may be stricter than another: a lower number, fewer names, or true."""


def _setting(
    default: Any,
    help_text: str,
    places: tuple[Place, ...] = ANYWHERE,
    *,
    stricter: Stricter | None = None,
) -> Any:
    """`stricter`: how data of others may set it unasked, where they may at all; None: not so."""
    return field(
        default=default,
        repr=places is not SECRET,
        metadata={"help": help_text, "places": places, "stricter": stricter},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What is in force. `load_settings` makes one; `sources` says where each value came from."""

    base_url: Urls = _setting(
        "http://127.0.0.1:8000/v1",
        "The server's OpenAI-compatible URL, or those of several equal ones, by commas.",
        OWN,
    )
    model: Name | None = _setting(None, "Name of the model; without it the first one served.")
    api_key: Secret | None = _setting(None, "The server's key.", SECRET)
    home: PathValue = _setting(Path(_DEFAULT_HOME), "Where recordings and history are kept.", HOME)
    workspace: PathValue = _setting(Path(), "Directory that the model works in.", AT_START)
    image: Image = _setting(
        "sii-sandbox:latest", "Image of the sandbox: base, research, web or a Docker image.", OWN
    )
    sandbox: Backend = _setting(DEFAULT_BACKEND, "What runs the sandbox.", OWN)
    allow_net: Hosts = _setting(
        (), "Hosts for the sandbox to reach, or @pypi, @npm, …; without it none.", OWN
    )
    allow_net_private: PrivateHosts = _setting(
        (), "Those of the hosts in `allow_net` that may be in a private network.", OWN_FILE
    )
    memory: Bytes = _setting(4 << 30, 'Memory of the sandbox, such as "4g".', OWN, stricter="lower")
    cpus: Cpus = _setting(2.0, "Processors of the sandbox.", OWN, stricter="lower")
    pids: Count = _setting(512, "Processes in the sandbox.", OWN, stricter="lower")
    disk: Bytes = _setting(
        16 << 30, "What the sandbox may write to disk.", OWN_FILES, stricter="lower"
    )
    tmp: Bytes = _setting(
        1 << 30, "Size of the sandbox's /tmp; counts as memory.", OWN_FILES, stricter="lower"
    )
    shm: Bytes = _setting(
        64 << 20,
        "Size of the sandbox's /dev/shm, which browsers and data loaders use; counts as memory.",
        OWN_FILES,
        stricter="lower",
    )
    file_size: Bytes = _setting(
        8 << 30, "Size of one file in the sandbox.", OWN_FILES, stricter="lower"
    )
    open_files: Count = _setting(
        4096, "Files that a process may hold open.", OWN_FILES, stricter="lower"
    )
    output_size: OutputBytes = _setting(
        16 << 20, "Output of a command that is kept.", OWN_FILES, stricter="lower"
    )
    mounts: Mounts = _setting(
        (), "SRC[:TARGET], shown read-only in the sandbox (at /mnt/NAME); again for more.", OWN
    )
    data: DataNames = _setting(
        (), "Data set of the home (`sii data`), shown read-only at /data/NAME; again for more.", OWN
    )
    setup: Lines = _setting(
        (), "Command run in the sandbox's shell before the first call; again for more.", OWN
    )
    env: Variables = _setting(
        (), "NAME=VALUE for the sandbox, or NAME to pass yours on; again for more.", OWN
    )
    read_only: Switch = _setting(False, "Whether the workspace can only be read.", stricter="on")
    snapshots: Switch = _setting(True, "Whether the workspace is kept after every step.")
    snapshot_exclude: Names = _setting(
        (".env", ".env.local", ".netrc", ".pgpass", "id_rsa", "id_ecdsa", "id_ed25519"),
        "Globs of files, such as those with secrets, that snapshots leave out.",
        FILES,
    )
    command_timeout: Seconds = _setting(
        120.0, "Seconds for a command that asks for none.", stricter="lower"
    )
    command_timeout_max: Seconds = _setting(
        3600.0, "Seconds that a command may ask for.", OWN_FILES, stricter="lower"
    )
    tools: Names = _setting(
        (),
        "Tools that the model may call, by commas; without it all that go with the image.",
        stricter="fewer",
    )
    system_prompt: PathValue | None = _setting(None, "File with another system prompt.")
    max_steps: Count = _setting(200, "Steps after which a round is stopped.", stricter="lower")
    temperature: Temperature | None = _setting(None, "Sampling temperature.")
    top_p: Fraction | None = _setting(None, "Nucleus sampling.")
    max_tokens: Count | None = _setting(
        None, "Most tokens of one message of the model.", stricter="lower"
    )
    context_length: Count | None = _setting(
        None,
        "Tokens of the context to use; without it all that the server gives.",
        stricter="lower",
    )
    compact: Switch = _setting(True, "Whether a full context is summarised; else the round ends.")
    tokenizer: PathValue | None = _setting(
        None, "The model's tokenizer.json, or its folder, to count tokens with.", OWN
    )
    seed: Integer | None = _setting(None, "Sampling seed.")
    enable_thinking: Switch | None = _setting(None, "Whether the model thinks before it answers.")
    editing: Literal["emacs", "vi"] = _setting("emacs", "Whose keys edit the prompt's line.", FILES)
    bell: Switch = _setting(True, "Whether the prompt rings when a long round ends.", FILES)
    show_thinking: Switch = _setting(
        False, "Whether the prompt leaves thoughts on the screen; else one line of each is left."
    )
    keep_reasoning: KeepReasoning = _setting(
        "auto",
        "What the model sees of what it thought in earlier rounds: as the served template has it "
        "(auto); nothing after a user's message (template), or after one that begins a round "
        "(loop); everything (all). true is all, false is template. As messages, all needs a "
        "template that can (from GLM-4.7 on), and loop is template.",
    )
    wire: Literal["auto", "ids", "messages"] = _setting(
        "auto",
        "How prompts are sent: as token ids, which the model's own are part of as it generated "
        "them; as messages; or as ids where `tokenizer` and the server allow it (auto).",
    )
    record_logprobs: Switch = _setting(
        False, "Whether the log probability of each generated token is recorded."
    )
    idle_timeout: Seconds = _setting(120.0, "Seconds of silence after which a stream is dead.")
    retries: CountOrZero = _setting(5, "How often a failed request is sent again.")
    search_provider: SearchName = _setting(
        DEFAULT_SEARCH, "Who searches the web; ddgs is for trying, and asked in no batch.", OWN
    )
    searxng_url: Url | None = _setting(None, "URL of a SearXNG server.", OWN)
    search_key: Secret | None = _setting(None, "Key of the search service.", SECRET)
    mailto: Email | None = _setting(
        None, "Your address, which the catalogues of `papers` are told; without it none.", OWN_FILES
    )
    permissions: Literal["auto", "ask"] = _setting(
        "auto",
        "Whether the prompt asks before a call that may change something (ask). Without a prompt "
        "nothing is asked, and this is auto.",
        OWN,
    )
    permission_rules: PermissionRules = _setting(
        (),
        "Rules of calls, `TOOL: PATTERN -> ACTION`, where `*` is any text and the action is allow, "
        "ask or refuse; the first that fits decides. Where nobody can be asked, ask refuses.",
        OWN_FILES,
    )
    speaker: Name | None = _setting(None, "Pseudonym of the human, for the recording.", OWN)
    ask_at_exit: Switch = _setting(
        True, "Whether `/exit` asks the speaker whether the task is done.", OWN_FILES
    )
    redact: Literal["known", "patterns", "names", "entropy"] = _setting(
        "patterns",
        "What is kept out of recordings: the values of secrets that are known; also keys and "
        "tokens by their form; also values named so; also what only looks random.",
        OWN,
    )
    redact_whole: Switch = _setting(False, "Keep nothing of a text that holds a secret.", OWN)
    approval_policy: Literal["any", "all", "majority"] | None = _setting(
        None, "Replaced by `policy` in review.toml, and read where that file is missing.", FILES
    )
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where each value came from, in words."""
    notes: tuple[str, ...] = ()
    """What the user should know about these settings."""
    goal: int | None = None
    """Approved trajectories that the collection is to have."""
    pins: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What the collection pins of its sessions (`recordings.pins`)."""
    trusted_prompt: str | None = None
    """SHA-256 of the system prompt that a trusted project names: no other content is used."""
    key_home: Path | None = field(default=None, repr=False)
    """The home whose key proves what is recorded (`find_key_home`); None: nothing is proved here,
    as on the machines of a cluster."""

    @property
    def base_urls(self) -> list[str]:
        """The servers, each by itself."""
        return self.base_url.split(",")

    @property
    def keys(self) -> dict[str, str]:
        """The keys of services, by the variables that may hold them."""
        pairs = ((name, getattr(self, name)) for name in KEY_SETTINGS)
        return {variable_of(name): key for name, key in pairs if key is not None}

    @property
    def web(self) -> WebSettings:
        """What the web tools need."""
        from tools.web.settings import WebSettings

        return WebSettings(
            search_provider=self.search_provider,
            searxng_url=self.searxng_url,
            search_key=self.search_key,
            mailto=self.mailto,
            folder=(self.key_home or self.home) / WEB_FOLDER,
        )

    def without_secrets(self) -> dict[str, Any]:
        """Return the values as JSON can hold them; of secrets only that they are set."""
        values = {name: _plain(getattr(self, name)) for name in SETTING_NAMES}
        for name in (*KEY_SETTINGS, "mailto"):
            values[name] = None if values[name] is None else "set"
        values["env"] = [pair.partition("=")[0] for pair in self.env]
        return values


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, tuple) else value


SINGULAR = {"mounts": "mount"}
"""Settings whose flag is given once for each value."""
SETTING_FIELDS = tuple(field for field in fields(Settings) if "places" in field.metadata)
SETTING_NAMES = tuple(field.name for field in SETTING_FIELDS)


def flag_of(name: str) -> str:
    """Return the command line's name of a setting."""
    return "--" + SINGULAR.get(name, name).replace("_", "-")


def variable_of(name: str) -> str:
    """Return the environment's name of a setting."""
    return f"SII_{name.upper()}"


def find_home(env: Mapping[str, str]) -> Path:
    """Return the folder of recordings, history and the user's file, made absolute."""
    return expanded(env.get(variable_of("home")) or _DEFAULT_HOME).absolute()


def find_key_home(env: Mapping[str, str]) -> Path:
    """Return the home whose key proves what is made.

    A batch's folder is looked at as if it were a home, but has no key and no settings of its own,
    nor has what stands above it: all may have come from elsewhere. `KEY_HOME` names the user's
    home; without it that is in its usual place.
    """
    home = find_home(env)
    if not os.path.lexists(home / BATCH_FILE):
        return home
    return expanded(env[KEY_HOME]).absolute() if env.get(KEY_HOME) else find_usual_home()


def find_usual_home() -> Path:
    """Return the home that is in force where no variable names another."""
    return expanded(_DEFAULT_HOME).absolute()


def find_recordings(env: Mapping[str, str]) -> Path:
    """Return the folder of the recordings."""
    return find_home(env) / "recordings"
