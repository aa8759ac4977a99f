"""First messages of TLS that were made to pass for another host's."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.network.client_hello import Incomplete, server_name

pytestmark = pytest.mark.hostile

Extension = tuple[int, bytes]


def vector(data: bytes, size: int = 2) -> bytes:
    return len(data).to_bytes(size, "big") + data


def name_list(*names: str, kind: int = 0) -> bytes:
    """The body of the extension that names a host."""
    return vector(b"".join(bytes([kind]) + vector(name.encode()) for name in names))


def hello(*extensions: Extension, after: bytes = b"") -> bytes:
    listed = b"".join(kind.to_bytes(2, "big") + vector(body) for kind, body in extensions)
    body = bytes(34) + vector(b"", 1) + vector(b"\x13\x01") + vector(b"\0", 1) + vector(listed)
    message = b"\x01" + vector(body + after, 3)
    return b"\x16\x03\x01" + vector(message)


OTHER: Extension = (43, b"\x02\x03\x04")


def test_one_name_is_found_among_other_extensions() -> None:
    assert server_name(hello(OTHER, (0, name_list("a.test")), OTHER)) == "a.test"
    assert server_name(hello(OTHER)) is None


@pytest.mark.parametrize(
    "message",
    [
        hello((0, name_list("a.test")), (0, name_list("b.test"))),
        hello((0, name_list("a.test")), OTHER, (0, name_list("a.test"))),
        hello((0, name_list("a.test", "b.test"))),
        hello((0, name_list("a.test") + b"\0\0\x06b.test")),
        hello((0, name_list("a.test", kind=1))),
        hello((0, name_list())),
        hello((0, b"")),
        hello((0, name_list("a.test")), after=b"\0\0\0\x0b" + name_list("b.test")),
    ],
    ids=[
        *("two extensions", "twice the same", "two names", "a name after the list"),
        *("another kind", "no name", "nothing", "after the extensions"),
    ],
)
def test_a_message_with_another_than_one_name_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"name|shorter|bytes after"):
        server_name(message)


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0, 43, 65535]), st.binary(max_size=40))
        | st.sampled_from([(0, name_list("a.test")), (0, name_list("b.test", "c.test"))]),
        max_size=5,
    ),
    st.binary(max_size=10),
)
def test_any_extensions_give_one_name_or_none_or_are_refused(
    extensions: list[Extension], after: bytes
) -> None:
    with suppress(ValueError, Incomplete):
        name = server_name(hello(*extensions, after=after))
        assert [kind for kind, _ in extensions].count(0) == (name is not None)
