"""A program: opens one page in a browser, acts on it, and writes what is seen as JSON.

Its argument is the request as JSON. It runs in an image that has Playwright and Chromium.
"""

from __future__ import annotations

import base64
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CHROMIUM = "/usr/bin/chromium"
_LOAD = 15_000
"""Milliseconds that a page may take to load."""
_ACT = 5_000
_SETTLE = 300
_MOST_WAIT = 5_000
_TREE = 64 << 10
_MOST_MESSAGES = 50
_MESSAGE = 500
_IMAGE = 10 << 20
"""Bytes of an image that is passed on."""


def main() -> None:
    """Carry out the request on the command line."""
    asked = json.loads(sys.argv[1])
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        answer: dict[str, Any] = {"error": "missing"}
    else:
        try:
            with sync_playwright() as playwright:
                answer = _seen(playwright, asked)
        except Error as error:
            answer = {"error": "browser", "message": str(error).partition("\n")[0][:_MESSAGE]}
    sys.stdout.write(json.dumps(answer))


def _seen(playwright: Any, asked: dict[str, Any]) -> dict[str, Any]:
    options = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    browser = playwright.chromium.launch(
        executable_path=os.environ.get("CHROMIUM", CHROMIUM), args=options
    )
    try:
        page = browser.new_page(viewport={"width": asked["width"], "height": asked["height"]})
        messages = _listen(page)
        page.goto(asked["url"], timeout=_LOAD, wait_until="load")
        failed = _act(page, asked["actions"])
        page.wait_for_timeout(_SETTLE)
        image = page.screenshot(timeout=_LOAD)
        return {
            "title": page.title()[:_MESSAGE],
            "url": page.url[:_MESSAGE],
            "tree": page.locator("body").aria_snapshot(timeout=_ACT)[:_TREE],
            "messages": messages,
            "failed": failed,
            "image": base64.b64encode(image).decode() if len(image) <= _IMAGE else "",
        }
    finally:
        browser.close()


def _listen(page: Any) -> list[str]:
    """Collect what the page complains of; dialogs are answered with no."""
    messages: list[str] = []

    def add(text: str) -> None:
        if len(messages) < _MOST_MESSAGES:
            messages.append(text[:_MESSAGE])

    def console(message: Any) -> None:
        if message.type in ("error", "warning"):
            add(f"console {message.type}: {message.text}")

    def dialog(shown: Any) -> None:
        add(f"dialog dismissed: {shown.message}")
        shown.dismiss()

    page.on("console", console)
    page.on("pageerror", lambda error: add(f"uncaught: {error}"))
    page.on("requestfailed", lambda request: add(f"request failed: {request.url}"))
    page.on("dialog", dialog)
    return messages


def _act(page: Any, actions: list[dict[str, str]]) -> str | None:
    """Carry out the actions; return what is wrong with the first one that fails."""
    from playwright.sync_api import Error

    for number, action in enumerate(actions, 1):
        try:
            _act_once(page, action["do"], action["target"], action["text"])
        except (Error, ValueError) as error:
            words = str(error).partition("\n")[0][:_MESSAGE]
            return f"action {number} ({action['do']}) failed: {words}"
    return None


def _act_once(page: Any, kind: str, target: str, text: str) -> None:
    if kind == "wait":
        page.wait_for_timeout(min(float(text or 1) * 1000, _MOST_WAIT))
    elif kind == "press":
        page.keyboard.press(text)
    elif kind == "type":
        page.locator(target).first.fill(text, timeout=_ACT)
    elif "," in target and target.replace(",", "").replace(" ", "").isdigit():
        across, down = target.split(",")
        page.mouse.click(float(across), float(down))
    else:
        page.locator(target).first.click(timeout=_ACT)


if __name__ == "__main__":
    main()
