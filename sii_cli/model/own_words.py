"""What a model wrote, on its way back to it.

It goes back as it was written, with one exception: a control token that stands in its text. As
text it would be read as the token itself, a turn or a call that was never made. So it is defused
like everybody's, also where the model generated the real token: the next prompt is a drift then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from recordings.events import CallRequest, Neutralised, SentTurn
from sii_cli.model.control_tokens import neutralise, neutralise_arguments


def defused_turn(
    reasoning: str | None, content: str | None, calls: Sequence[CallRequest]
) -> tuple[SentTurn | None, list[Neutralised]]:
    """Return the turn as it goes back where it must differ, and the tokens found in it."""
    counts: Counter[str] = Counter()

    def kept(result: tuple[str, list[tuple[str, int]]]) -> str:
        counts.update(dict(result[1]))
        return result[0]

    sent = SentTurn(
        reasoning=kept(neutralise(reasoning)) if reasoning else reasoning,
        content=kept(neutralise(content)) if content else content,
        calls=[
            CallRequest(
                index=call.index,
                call_id=call.call_id,
                name=kept(neutralise(call.name)),
                arguments=kept(neutralise_arguments(call.arguments)),
            )
            for call in calls
        ],
    )
    if not counts:
        return None, []
    return sent, [Neutralised(token=token, count=count) for token, count in sorted(counts.items())]
