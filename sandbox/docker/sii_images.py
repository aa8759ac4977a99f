"""The images that sii builds: a new one is a Dockerfile in `images/` and a line here."""

from __future__ import annotations

from dataclasses import dataclass

REPOSITORY = "sii-sandbox"
"""The name of all images that sii builds; what comes after the colon tells them apart."""
BASE = "base"


@dataclass(frozen=True, slots=True)
class SiiImage:
    """An image that sii has a Dockerfile for."""

    tag: str
    holds: str
    """What it is for, in a few words."""


SII_IMAGES = {
    BASE: SiiImage(f"{REPOSITORY}:latest", "Python, a compiler, git; reads PDF and workbooks"),
    "research": SiiImage(f"{REPOSITORY}:research", "base, and data, statistics, notebooks, fonts"),
    "web": SiiImage(f"{REPOSITORY}:web", "base, and node, npm, Chromium, Playwright, fonts"),
}


def image_of(name: str) -> str:
    """Return the image that a short name stands for; every other name is an image's own."""
    return SII_IMAGES[name].tag if name in SII_IMAGES else name


def build_command(image: str) -> str:
    """Return the command that makes an image of sii's; of any other, that which makes `base`."""
    name = short_name_of(image)
    return "sii sandbox build" if name in (None, BASE) else f"sii sandbox build {name}"


def short_name_of(image: str) -> str | None:
    """Return the short name of an image, or `None` where it has none."""
    return next((name for name, one in SII_IMAGES.items() if one.tag == image), None)
