"""Drafts of reviews that are not as this version writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recordings.errors import RecordingDamaged
from sii_cli.queue.drafts import Drafts
from sii_cli.queue.leases import Item
from sii_cli.review.draft import ReviewDraft, load_draft

ONE = Item("review", "20261123-204950-a3f9c2")
CONTENT = "5e" * 32


def test_a_draft_is_continued(tmp_path: Path) -> None:
    drafts = Drafts(tmp_path, "ann")
    assert load_draft(drafts, ONE, CONTENT) is None
    drafts.save(ONE, CONTENT, ReviewDraft(note="so far").model_dump(mode="json"))
    assert load_draft(drafts, ONE, CONTENT) == ReviewDraft(note="so far")


@pytest.mark.parametrize(
    "said", [{"note": 5}, {"of_a_later_version": 1}, {"seconds": float("inf")}, {"steps": []}]
)
def test_a_draft_of_another_form_is_damaged(tmp_path: Path, said: dict[str, Any]) -> None:
    drafts = Drafts(tmp_path, "ann")
    drafts.save(ONE, CONTENT, said)
    with pytest.raises(RecordingDamaged, match=r"The draft .* is damaged: remove it\."):
        load_draft(drafts, ONE, CONTENT)
