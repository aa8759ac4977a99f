"""A foreign chat template that computes without an end is ended by Ctrl-C."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from sii_cli.session import watchdog
from sii_cli.tokenizer.chat_template import TEMPLATE
from tests.sii_cli.shell import Shell
from tests.sii_cli.terminal import ROOT
from tests.sii_cli.tokenizer.small_tokenizer import make_folder
from tests.sii_cli.tokenizer.test_chat_template import told

pytestmark = pytest.mark.hostile

TREES = """{% set n = namespace(x=[1], y=[1]) %}
{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% set n.y = [n.y, n.y] %}{% endfor %}
{{ n.x == n.y }}"""
"""Two small lists that hold themselves so often that comparing them, one call of C, never ends."""


@pytest.mark.alone
def test_a_template_that_compares_without_an_end_ends_at_the_second_ctrl_c(shell: Shell) -> None:
    folder = shell.home / "recordings" / "without-ids"
    folder.mkdir(parents=True)
    told(folder)
    model = shell.home.parent / "model"
    make_folder(model)
    (model / TEMPLATE).write_text(TREES)
    command = [sys.executable, "-m", "sii_cli", "export", "--format", "tokens", "--all"]
    command += ["--tokenizer", str(model), str(shell.home.parent / "out")]
    env = {**shell.env, "PYTHONPATH": str(ROOT)}
    sii = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while _cpu_seconds(sii.pid) < 9 and sii.poll() is None and time.monotonic() < end:
        time.sleep(0.2)
    assert sii.poll() is None
    sii.send_signal(signal.SIGINT)
    time.sleep(0.5)
    sii.send_signal(signal.SIGINT)
    try:
        assert sii.wait(timeout=watchdog.PATIENCE + 20) == -signal.SIGKILL
    finally:
        sii.kill()


def _cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[11]) / 100
