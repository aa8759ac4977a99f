"""Writes the generated pages into `docs/reference`."""

from __future__ import annotations

from scripts.reference.pages import FOLDER, all_pages


def main() -> None:
    """Write what has changed, and name it."""
    for name, text in all_pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(path)


if __name__ == "__main__":
    main()
