"""The exported page in a real browser (Chromium, where there is one), driven over its own pipe."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from recordings.replay.html import write_html
from recordings.replay.items import ReplayItem, replay_items
from recordings.storage.log import read_events
from tests.recordings.recording_sessions import FakeSession, record_session

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group(__name__),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]
HOSTILE = "</script><script>document.title='owned'</script><b id=owned>bold</b>"


class Page:
    """One page of a browser, spoken to in the DevTools protocol over file descriptors 3 and 4."""

    def __init__(self, write: int, read: int) -> None:
        self._write = write
        self._read = os.fdopen(read, "rb", buffering=0)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self.items: list[ReplayItem] = []
        """What the page is to show."""

    def close(self) -> None:
        self._read.close()
        os.close(self._write)

    def open(self, url: str) -> None:
        target = self.call("Target.createTarget", url=url)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self.wait("document.readyState === 'complete' && typeof go === 'function'")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._number:
            pass
        result: dict[str, Any] = answer["result"]
        return result

    def js(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait(self, condition: str) -> None:
        deadline = time.monotonic() + 20
        while not self.js(condition):
            assert time.monotonic() < deadline, f"never: {condition}"
            time.sleep(0.02)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            self._rest += self._read.read(1 << 16)
        message, _, self._rest = self._rest.partition(b"\0")
        received: dict[str, Any] = json.loads(message)
        return received


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("recording")

    def be_hostile(session: FakeSession) -> None:
        session.round(2, message=HOSTILE)
        session.step(calls=1, error="timeout")
        session.end()

    record_session(folder, change=be_hostile)
    target = tmp_path_factory.mktemp("page") / "page.html"
    write_html(folder, target)
    to_browser, from_browser = os.pipe(), os.pipe()

    def hand_over() -> None:
        ends = os.dup(to_browser[0]), os.dup(from_browser[1])
        os.dup2(ends[0], 3)
        os.dup2(ends[1], 4)

    assert CHROMIUM
    browser = subprocess.Popen(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"),
            f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
        ],
        preexec_fn=hand_over,
        close_fds=False,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    page = Page(to_browser[1], from_browser[0])
    try:
        page.open(target.as_uri())
        page.items = list(replay_items(read_events(folder)))
        yield page
    finally:
        browser.kill()
        browser.wait()
        page.close()


def place(page: Page) -> int:
    return int(page.js("document.getElementById('seek').value"))


def press(page: Page, button: str) -> None:
    page.js(f"document.getElementById('{button}').click()")


def type_key(page: Page, key: str) -> None:
    event = f"new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}})"
    page.js(f"document.body.dispatchEvent({event})")


def seek(page: Page, to: int) -> None:
    page.js(
        f"{{ const s = document.getElementById('seek'); s.value = {to}; "
        "s.dispatchEvent(new Event('input')); }"
    )


def test_the_page_opens_at_the_end_with_everything_in_it(page: Page) -> None:
    text = page.js("document.getElementById('screen').textContent")
    for item in page.items:
        assert item.text in text
    assert place(page) == len(page.items)


def test_text_of_the_recording_is_no_markup(page: Page) -> None:
    assert page.js("document.title") != "owned"
    assert page.js("document.getElementById('owned')") is None
    assert HOSTILE in page.js("document.getElementById('screen').textContent")


def test_it_seeks_steps_and_goes_back(page: Page) -> None:
    seek(page, 0)
    assert page.js("document.getElementById('screen').textContent") == ""
    press(page, "step")
    press(page, "step")
    assert place(page) == 2
    press(page, "back")
    assert place(page) == 1
    assert page.js("document.getElementById('screen').textContent") == page.items[0].text


@pytest.mark.parametrize(
    ("button", "wanted"),
    [
        ("call", lambda item: item.kind == "call"),
        ("fault", lambda item: item.error),
        ("user", lambda item: item.kind == "user"),
    ],
)
def test_it_jumps_to_the_next_of_a_kind(
    page: Page, button: str, wanted: Callable[[ReplayItem], bool]
) -> None:
    seek(page, 1)
    press(page, button)
    expected = next(n for n, item in enumerate(page.items) if n >= 1 and wanted(item))
    assert place(page) == expected + 1


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        ("C", lambda item: item.kind == "call"),
        ("E", lambda item: item.error),
        ("U", lambda item: item.kind == "user"),
    ],
)
def test_a_capital_jumps_back(page: Page, key: str, wanted: Callable[[ReplayItem], bool]) -> None:
    found = [number for number, item in enumerate(page.items) if wanted(item)]
    for last in reversed(found):
        seek(page, min(last + 2, len(page.items)))
        type_key(page, key)
        assert place(page) == last + 1
    type_key(page, key)
    assert place(page) == found[0] + 1


def test_the_keys_are_those_of_the_terminal(page: Page) -> None:
    seek(page, 3)
    for key, expected in (("n", 4), ("p", 3), ("ArrowRight", 4), ("ArrowLeft", 3)):
        type_key(page, key)
        assert place(page) == expected
    speed = "document.getElementById('speed').value"
    page.js("document.getElementById('speed').value = '1'")
    for key, speed_after in (("+", "2"), ("-", "1"), ("-", "0.5"), ("-", "0.5"), ("+", "1")):
        type_key(page, key)
        assert page.js(speed) == speed_after


def test_it_plays_to_the_end_and_pauses(page: Page) -> None:
    seek(page, 0)
    page.js("document.getElementById('speed').value = '20'")
    press(page, "play")
    page.wait(f"Number(document.getElementById('seek').value) === {len(page.items)}")
    page.wait("document.getElementById('play').textContent === 'Play'")
    seek(page, 0)
    press(page, "play")
    press(page, "play")
    stopped = place(page)
    time.sleep(0.2)
    assert place(page) == stopped


def test_outputs_are_folded_until_opened(page: Page) -> None:
    seek(page, len(page.items))
    assert page.js("document.querySelectorAll('details[open]').length") == 0
    press(page, "fold")
    calls = sum(item.kind == "call" for item in page.items)
    assert page.js("document.querySelectorAll('details[open]').length") == calls
    press(page, "fold")
