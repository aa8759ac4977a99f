"""The profile as both backends take it: the same calls, allowed and refused with the same error."""

from __future__ import annotations

import errno
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.seccomp import CALLS, CHECKED, call_filter, docker_profile

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
ALLOWED = 0
NUMBERS = {
    name: tuple(None if number == "-" else int(number) for number in numbers)
    for name, *numbers in (entry.split(":") for entry in CALLS.split())
} | {call.name: call.numbers for call in CHECKED}
INTERESTING = st.one_of(
    st.sampled_from((0, 1, 2, 3, 8, 10, 15, 16, 17, 38, 40, 0x40305828, 0x4030582A, 0x40305900)),
    st.sampled_from((1 << 32, (1 << 32) + 1, (1 << 64) - 1, 0x20000, 0xFFFFFFFF, 0x7E020000)),
    st.integers(0, (1 << 64) - 1),
)


def of_the_filter(program: bytes, architecture: int, number: int, arguments: list[int]) -> int:
    """Run the program as the kernel does; return the error, 0 for none."""
    lines = list(struct.iter_unpack("=HBBI", program))
    data = struct.pack("=IIQ6Q", number, architecture, 0, *arguments)
    accumulator = at = 0
    while True:
        code, holds, fails, value = lines[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x54:
            accumulator &= value
        elif code == 0x06:
            if value == 0x7FFF0000:
                return ALLOWED
            assert value & 0xFFFF0000 == 0x00050000
            return int(value & 0xFFFF)
        else:
            taken = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[code]
            at += holds if taken else fails


def of_the_profile(profile: dict[str, Any], name: str, arguments: list[int]) -> int:
    """Say what libseccomp makes of the rules; return the error, 0 for none."""
    compare = {
        "SCMP_CMP_EQ": lambda given, rule: given == rule["value"],
        "SCMP_CMP_MASKED_EQ": lambda given, rule: given & rule["value"] == rule["valueTwo"],
    }
    found = [
        rule
        for rule in profile["syscalls"]
        if name in rule["names"]
        and all(compare[one["op"]](arguments[one["index"]], one) for one in rule.get("args", ()))
    ]
    actions = {rule["action"] for rule in found}
    assert len(actions) <= 1, "libseccomp would have to choose"
    if not found:
        return int(profile["defaultErrnoRet"])
    return ALLOWED if actions == {"SCMP_ACT_ALLOW"} else int(found[0]["errnoRet"])


@pytest.mark.parametrize("machine", MACHINES)
@given(
    name=st.one_of(st.sampled_from([call.name for call in CHECKED]), st.sampled_from([*NUMBERS])),
    arguments=st.lists(INTERESTING, min_size=6, max_size=6),
)
def test_both_backends_refuse_the_same(machine: str, name: str, arguments: list[int]) -> None:
    column, architecture = MACHINES[machine]
    number = NUMBERS[name][column]
    program = call_filter(machine)
    if number is None or program is None:
        return
    # The kernel takes these as 32 bits, whatever else the register holds; libseccomp looks at all.
    whole = [value & 0xFFFFFFFF for value in arguments]
    filtered = of_the_filter(program, architecture, number, arguments)
    assert filtered == of_the_profile(json.loads(docker_profile()), name, whole)


@pytest.mark.parametrize("machine", MACHINES)
def test_only_what_is_named_is_allowed(machine: str) -> None:
    column, architecture = MACHINES[machine]
    program = call_filter(machine)
    assert program is not None
    named = {numbers[column] for numbers in NUMBERS.values()}
    for number in (*range(1000), 0x40000000, 0x40000000 + 41, 0xFFFFFFFF):
        outcome = of_the_filter(program, architecture, number, [0] * 6)
        if number not in named:
            assert outcome == (errno.EPERM if number <= max(filter(None, named)) else errno.ENOSYS)
    for other in (0x40000003, 0x40000028, 0xC00000F3):  # i386, arm, riscv64
        assert of_the_filter(program, other, 1, [0] * 6) == errno.ENOSYS


def test_a_machine_whose_numbers_are_not_known_has_no_filter() -> None:
    assert call_filter("riscv64") is None


def test_no_request_of_ioctl_reserves_space() -> None:
    program = call_filter("x86_64")
    assert program is not None
    for request in (0x40305828, 0x4030582A, 0x40305839, 0x40305828 | 1 << 32):
        arguments = [3, request, 0, 0, 0, 0]
        assert of_the_filter(program, MACHINES["x86_64"][1], 16, arguments) == errno.EPERM
    for request in (0x5401, 0x5413, 0x541B, 0x80045430, 0xC0305828, 0x40305728):
        assert (
            of_the_filter(program, MACHINES["x86_64"][1], 16, [3, request, 0, 0, 0, 0]) == ALLOWED
        )
