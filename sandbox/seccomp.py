"""The system-call filter of bubblewrap sandboxes: no user namespaces, no keys of the host.

In a namespace of its own a command has every capability, and may mount what the kernel lets such a
namespace mount: the host's tree of cgroups among it, in which whoever owns the files can freeze
and kill the host's processes. The kernel's keyrings belong to a uid, whatever sandbox it is in.
Docker's own filter refuses the same.
Sources: seccomp(2), linux/filter.h, linux/audit.h, user_namespaces(7), keyrings(7).
"""

from __future__ import annotations

import errno
import platform
import struct

_CLONE_NEWUSER = 0x10000000
_CLONE3 = 435
_X32 = 0x40000000
"""Bit of the numbers of a second set of calls, which x86_64 has."""
_MACHINES = {
    "x86_64": (0xC000003E, 272, 56, (248, 249, 250)),
    "aarch64": (0xC00000B7, 97, 220, (217, 218, 219)),
}
"""Machine → its audit number, and those of unshare, clone, and the three calls for keys."""
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Where they stand in `seccomp_data`; of an argument the lower half."""
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


def call_filter(machine: str | None = None) -> bytes | None:
    """Return the filter as the kernel takes it; none for a machine whose numbers are not known."""
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    architecture, unshare, clone, (add_key, request_key, keyctl) = known
    # What a comparison skips when it holds, and when not; the last three lines are where they lead.
    program = (
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 0, 11, architecture),
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, 9, 0, _X32),
        (_IF_EQUAL, 8, 0, _CLONE3),  # its flags lie in memory: the C library falls back to clone
        (_IF_EQUAL, 8, 0, add_key),
        (_IF_EQUAL, 7, 0, request_key),
        (_IF_EQUAL, 6, 0, keyctl),
        (_IF_EQUAL, 1, 0, unshare),
        (_IF_EQUAL, 0, 2, clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_IF_SET, 2, 0, _CLONE_NEWUSER),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERROR | errno.ENOSYS),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
    )
    return b"".join(struct.pack("=HBBI", *line) for line in program)
