"""Writes the generated pages into `docs/reference`."""

from __future__ import annotations

from scripts.reference.pages import FOLDER, all_pages, written_pages


def main() -> None:
    """Write what has changed, remove what is gone, and name both."""
    pages, written = all_pages(), written_pages()
    for name in written.keys() - pages.keys():
        (FOLDER / name).unlink()
        print(f"removed {FOLDER / name}")
    for name, text in pages.items():
        if text != written.get(name):
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(text, "utf-8")
            print(f"written {FOLDER / name}")


if __name__ == "__main__":
    main()
