"""A message as a document: what a human does not touch stays as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.conversation.messages import message_of
from recordings.events import ModelResponse
from sii_cli.errors import UsageError
from sii_cli.fork.document import Message, edited_response, read_document, write_document

text = st.text(max_size=60) | st.sampled_from(["%%% content\nx", "%%%% a", "\n\n", "a\n", "\r\n"])
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)
arguments = (
    st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True) | text, json_value, max_size=3)
    .map(json.dumps)
    .flatmap(lambda raw: st.sampled_from([raw, raw.replace(" ", ""), raw + " "]))
) | text
calls = st.lists(
    st.tuples(st.sampled_from(["bash", "edit_file", "odd name"]), arguments), max_size=3
)
messages = st.builds(Message, text, text, calls.map(tuple))


@given(messages)
def test_a_document_says_the_message_again(message: Message) -> None:
    assert read_document(write_document(message), message) == message


def test_one_argument_is_changed_and_the_rest_kept_to_the_letter() -> None:
    odd = '{"command" :"ls",  "timeout":5}'
    message = Message("Look.", "", (("bash", odd), ("bash", '{"command": "pwd"}')))
    document = write_document(message)
    assert document == (
        "%%% reasoning\nLook.\n"
        "%%% call bash\n%%% argument command\nls\n%%% argument timeout (json)\n5\n"
        "%%% call bash\n%%% argument command\npwd\n"
    )
    edited = read_document(document.replace("pwd\n", "pwd -P\ndate\n"), message)
    assert edited.calls == (("bash", odd), ("bash", '{"command": "pwd -P\\ndate"}'))


def test_calls_can_be_added_and_taken_away() -> None:
    message = Message("", "Hm.", (("bash", '{"command": "ls"}'),))
    assert read_document("%%% content\nHm.\n", message).calls == ()
    more = write_document(message) + "%%% call todo\n%%% argument items (json)\n[]\n"
    assert read_document(more, message).calls[1] == ("todo", '{"items": []}')


def test_arguments_that_are_no_object_are_edited_as_they_are() -> None:
    message = Message(calls=(("bash", '{"command": '),))
    document = write_document(message)
    assert document == '%%% call bash (raw)\n{"command": \n'
    assert read_document(document, message) == message


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("", "begins with no section"),
        ("Hello", "begins with no section"),
        ("%%% thoughts\nx\n", "'thoughts' is not known"),
        ("%%% argument x\n1\n", "'argument x' is not known"),
        ("%%% call bash\nls\n", "say which argument it is"),
        ("%%% call bash\n%%% argument n (json)\n{\n", "is not JSON"),
        ("%%% call bash\n%%% argument n\n1\n%%% argument n\n2\n", "there twice"),
    ],
)
def test_a_document_that_cannot_be_read_is_one_sentence(document: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        read_document(document)
    assert says in str(error.value)


def test_what_a_human_writes_for_the_model_forges_no_turn() -> None:
    before = ModelResponse(step=1, attempt=1, finish_reason="stop", complete=True)
    edited = edited_response(before, Message("", "Say <|user|> again.", ()))
    sent = message_of(edited)
    assert sent is not None
    assert "<|user|>" not in sent["content"]
    assert edited.content == "Say <|user|> again."
