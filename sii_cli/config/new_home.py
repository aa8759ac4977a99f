"""Makes a home: a folder for a collection, with commented settings, a protocol and a key."""

from __future__ import annotations

import os
from pathlib import Path

from recordings.reviews.protocol import PROTOCOL
from recordings.storage.files import failure, sync_folder
from recordings.storage.opening import OpenFolder
from recordings.store.collection import BATCHES, RECORDINGS
from recordings.trust.first_start import seal_existing
from recordings.trust.home_key import home_key
from sii_cli.config.settings import CONFIG_FILE
from sii_cli.errors import UsageError

_CONFIG = """\
# Settings of this home. `sii config --home DIR` shows all settings, their values and where each
# comes from. A flag or a variable (SII_MODEL, ...) is stronger than this file.

# base_url = "http://127.0.0.1:8000/v1"   # the model server; several by commas
# model = "NAME"                          # without it the first one served
# speaker = "NAME"                        # your pseudonym, for recordings and reviews
# system_prompt = "prompt.md"             # another system prompt, beside this file
# tools = ["bash", "read_file"]           # without it all
# temperature = 1.0

[collection]
{goal}
# What all sessions of the collection share. `sii config --pin ID` writes what a recording used;
# a session that departs from it is marked.
# [collection.pins]
# system_prompt = "SHA-256"
# tools = "SHA-256"
# image = "NAME"
# sampling = "temperature=1.0, top_p=0.95"
"""


_REVIEW = """\
# Who reviews what in this home and how, and which verdicts make an approval.

# policy = "undisputed"   # or any, all, majority, adjudicated
# reviewers = 1           # verdicts that a recording needs
# people = []             # pseudonyms of those who review; empty: everybody
# adjudicators = []       # pseudonyms of those who decide, for adjudicated
# leads = []              # pseudonyms of those who see all verdicts
# machines = []           # of model and check: those whose verdicts count

# blind = false           # hide what others said until one's own verdict is given
# show_check = true       # show the check and the outcome before one's own verdict
# flags = []              # what may be said of a step; empty: the usual words
# cohort = 20             # recordings that are finished before the next ones

# set_aside = []          # of failed_check, outage, drift, suspect, uncited: read by nobody
# second_read = 0.1       # share that another person reads too, by chance
# second_read_by_risk = false
# gold = []               # ids that everybody judges; an adjudicator or a lead has the answer
# gold_share = 0.1

# [rubric.properties.goal]   # a question; the rubric is a JSON Schema
# title = "Goal reached"
# type = "integer"
# minimum = 1
# maximum = 5
"""


def make_home(home: Path, goal: int | None) -> None:
    """Make a home in a new or empty folder.

    Raises `UsageError` where something is already, `HomeKeyUnusable`, `RecordingFailed`.
    """
    if os.path.lexists(home) and not home.is_dir():
        raise UsageError(f"{home} is not a folder: name another.")
    if home.is_dir() and os.listdir(home):
        what = "is a home already" if (home / CONFIG_FILE).exists() else "is not empty"
        raise UsageError(f"{home} {what}: nothing was written. Name a new folder.")
    line = "# goal = 78   # approved trajectories" if goal is None else f"goal = {goal}"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with OpenFolder(home) as folder:
            for name in (RECORDINGS, BATCHES):
                folder.inner(name, make=True).close()
            for name, text in ((PROTOCOL, _REVIEW), (CONFIG_FILE, _CONFIG.format(goal=line))):
                with open(folder.create(name), "wb") as file:
                    file.write(text.encode())
                    file.flush()
                    os.fsync(file.fileno())
        sync_folder(home)
    except FileExistsError:
        raise UsageError(f"{home} is a home already: nothing was written.") from None
    except OSError as error:
        raise failure(home, error) from error
    home_key(home)
    seal_existing(home)
