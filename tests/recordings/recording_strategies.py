"""Hypothesis strategies for events: wild texts and values in every field."""

import builtins
import types
import typing
from typing import Annotated, Any, Literal, get_args, get_origin

from hypothesis import strategies as st

from recordings.events import EVENT_TYPES, Event, EventData, EventPart
from recordings.events.batch import Score
from recordings.recorder import Recorder

ORIGINS = ["human", "query", "model", "tool", "harness", "annotator", "compaction"]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
).filter(lambda value: value not in (float("inf"), float("-inf")))
json_objects = st.dictionaries(
    texts, st.booleans() | texts | st.lists(texts, max_size=3), max_size=3
)


def parts(cls: type[EventPart]) -> st.SearchStrategy[Any]:
    return st.builds(
        cls, **{name: field(info.annotation) for name, info in cls.model_fields.items()}
    )


def field(annotation: Any) -> st.SearchStrategy[Any]:
    """Wild values of a field's type."""
    plain = {str: texts, int: st.integers(0, 2**31), float: st.floats(0, 1e9), Any: json_values}
    if get_origin(annotation) is Annotated:
        assert annotation == Score
        return st.floats(0, 1)
    if annotation in plain:
        return plain[annotation]
    if isinstance(annotation, type) and issubclass(annotation, EventPart):
        return parts(annotation)
    inner = [
        field(argument)
        for argument in get_args(annotation)
        if get_origin(annotation) is not Literal
    ]
    match get_origin(annotation):
        case builtins.list:
            return st.lists(inner[0], max_size=3)
        case builtins.dict:
            return json_objects if inner[1] is json_values else st.dictionaries(texts, inner[1])
        case builtins.tuple:
            return st.tuples(*inner)
        case types.UnionType | typing.Union:
            return st.one_of(inner)
        case _:
            return st.from_type(annotation)


data: st.SearchStrategy[EventData] = st.one_of([parts(cls) for cls in EVENT_TYPES.values()])
Saying = tuple[EventData, Any]
"""What is recorded, and its origin."""
said: st.SearchStrategy[Saying] = st.tuples(data, st.sampled_from(ORIGINS))


def write(recorder: Recorder, sayings: list[Saying]) -> list[Event]:
    return [recorder.record(saying, origin) for saying, origin in sayings]
