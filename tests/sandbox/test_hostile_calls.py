"""System calls that open the host's kernel further than a task needs: closed in every sandbox."""

from __future__ import annotations

import ast
import errno

import pytest

from sandbox.protocol import Sandbox
from sandbox.seccomp import call_filter

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(call_filter() is None, reason="the numbers of the calls are not known"),
]

SOCKETS = """
import socket
families = dict(
    unix=(1, 1, 0), inet=(2, 1, 0), inet6=(10, 2, 0), route=(16, 3, 0),
    packet=(17, 3, 0), packet_datagrams=(17, 2, 0), alg=(38, 5, 0), vsock=(40, 1, 0),
    bluetooth=(31, 3, 0), can=(29, 3, 0), tipc=(30, 1, 0), rds=(21, 5, 0), xdp=(44, 3, 0),
    **{f"netlink_{number}": (16, 3, number) for number in range(1, 23)},
)
found = {}
for name, (family, kind, protocol) in families.items():
    try:
        socket.socket(family, kind, protocol).close()
        found[name] = 0
    except OSError as error:
        found[name] = error.errno
print(found)
"""
PAIRS = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
pair = (ctypes.c_int * 2)()
for family in (1, 16, 30, 38, 40):
    print(family, libc.socketpair(family, 1, 0, pair), end=" ")
"""


async def test_sockets_are_of_the_families_that_have_a_use(sandbox: Sandbox) -> None:
    found = ast.literal_eval((await sandbox.python(SOCKETS)).output.decode())
    assert {name for name, error in found.items() if error == 0} == {
        "unix",
        "inet",
        "inet6",
        "route",
    }
    assert {error for error in found.values() if error} == {errno.EPERM}
    pairs = await sandbox.python(PAIRS)
    assert pairs.output.split() == b"1 0 16 -1 30 -1 38 -1 40 -1".split()


CALLS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
for name, numbers in %r.items():
    ctypes.set_errno(0)
    print(name, libc.syscall(numbers[column], 0, 0, 0, 0, 0, 0), ctypes.get_errno())
"""
CLOSED = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "unshare": (272, 97),
    "fsopen": (430, 430),
    "mount": (165, 40),
    "pivot_root": (155, 41),
    "keyctl": (250, 219),
    "kexec_load": (246, 104),
    "finit_module": (313, 273),
}


async def test_calls_without_a_use_are_closed(sandbox: Sandbox) -> None:
    result = await sandbox.python(CALLS % CLOSED)
    lines = [line.split() for line in result.output.decode().splitlines()]
    assert [name for name, _, _ in lines] == list(CLOSED)
    for name, returned, error in lines:
        wanted = errno.ENOSYS if name.startswith("io_uring") else errno.EPERM
        assert (returned, int(error)) == ("-1", wanted), name


OF_32_BITS = r"""
cat > /tmp/call.c <<'END'
#include <unistd.h>
#include <stdio.h>
int main(void) {
    int pid = 0;
    __asm__ volatile ("int $0x80" : "=a"(pid) : "a"(20));
    if (pid > 0) puts("called");
}
END
gcc -o /tmp/call /tmp/call.c && /tmp/call
"""


async def test_calls_of_32_bits_do_not_get_round_the_filter(sandbox: Sandbox) -> None:
    if (await sandbox.bash("uname -m; command -v gcc")).output[:6] != b"x86_64":
        pytest.skip("only x86_64 has a second set of calls")
    result = await sandbox.bash(OF_32_BITS)
    assert b"called" not in result.output


SPACE = """
import ctypes, fcntl, os, struct
f = os.open("f", os.O_CREAT | os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.fallocate(f, 0, ctypes.c_long(0), ctypes.c_long(1 << 33)), ctypes.get_errno())
for request in (0x40305828, 0x4030582A, 0x40305839):
    try:
        fcntl.ioctl(f, request, struct.pack("=hhxxxxqqiI16x", 0, 0, 0, 1 << 33, 0, 0))
        print("reserved")
    except OSError as error:
        print(error.errno)
print(os.fstat(f).st_blocks)
os.posix_fallocate(f, 0, 2 << 20)
print(libc.fallocate(f, 3, ctypes.c_long(0), ctypes.c_long(1 << 20)), os.fstat(f).st_size)
"""


async def test_no_file_is_given_space_that_nothing_was_written_to(sandbox: Sandbox) -> None:
    result = await sandbox.python(SPACE)
    eopnotsupp = str(errno.EOPNOTSUPP)
    assert result.output.decode().split() == [
        *("-1", eopnotsupp, "1", "1", "1", "0"),
        *("0", str(2 << 20)),
    ]


ORDINARY = {
    "processes": (
        "import multiprocessing as m\nwith m.Pool(2) as p: print(p.map(abs, [-1, -2]))",
        "[1, 2]",
    ),
    "threads": (
        "import threading\nt = threading.Thread(target=print, args=['ran'])\nt.start(); t.join()",
        "ran",
    ),
    "interfaces": ("import socket; print(socket.if_nameindex())", "[(1, 'lo')]"),
    "loopback": (
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "c = socket.create_connection(s.getsockname()); s.accept()[0].send(b'hello')\n"
        "print(c.recv(9))",
        "b'hello'",
    ),
    "unix": (
        "import socket\na, b = socket.socketpair(); a.send(b'hello'); print(b.recv(9))",
        "b'hello'",
    ),
    "events": (
        "import asyncio, signal, os, select\nasyncio.run(asyncio.sleep(0))\n"
        "print(os.eventfd_read(os.eventfd(3)) if hasattr(os, 'eventfd') else 3)",
        "3",
    ),
    "shared memory": (
        "from multiprocessing import shared_memory as m\ns = m.SharedMemory(create=True, size=9)\n"
        "s.buf[0] = 7; print(s.buf[0]); s.close(); s.unlink()",
        "7",
    ),
}


@pytest.mark.parametrize("name", ORDINARY)
async def test_ordinary_programs_go_on(sandbox: Sandbox, name: str) -> None:
    code, printed = ORDINARY[name]
    await sandbox.write_file(
        "/tmp/run.py", f"if __name__ == '__main__':\n  exec({code!r})".encode()
    )
    result = await sandbox.bash("python3 /tmp/run.py")
    assert (result.output.decode().strip(), result.exit_code) == (printed, 0)


PROGRAMS = {
    "git": "git init -q r && cd r && echo x > f && git add f && git -c user.name=a -c user.email=b"
    " commit -qm c && git clone -q . ../s && git -C ../s log --format=%s",
    "pytest": "echo 'def test(): pass' > test_a.py && python3 -m pytest -q test_a.py",
    "gcc": "echo 'int main(void){return 0;}' > a.c && gcc -o a a.c && ./a",
    "node": "node -e 'require(\"os\").networkInterfaces()'",
    "strace": "strace -o /dev/null true",
    "make": "printf 'all: a b\\na b:\\n\\ttrue\\n' > Makefile && make -j4",
    "tar": "mkdir d && echo x > d/f && tar czf d.tgz d && tar xzf d.tgz",
    "sqlite3": 'python3 -c \'import sqlite3; sqlite3.connect("x").execute("create table t(a)")\'',
}


@pytest.mark.parametrize("program", PROGRAMS)
async def test_tools_of_the_trade_go_on(sandbox: Sandbox, program: str) -> None:
    there = "python3" if program == "sqlite3" else program
    check = "python3 -c 'import pytest'" if program == "pytest" else f"command -v {there}"
    if (await sandbox.bash(check)).exit_code != 0:
        pytest.skip(f"the sandbox has no {program}")
    result = await sandbox.bash(PROGRAMS[program], timeout=60)
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["keys", "timer_list", "kcore", "sched_debug"])
async def test_what_proc_tells_of_the_host_is_covered(sandbox: Sandbox, name: str) -> None:
    assert (await sandbox.bash(f"head -c 100 /proc/{name} 2>/dev/null")).output == b""
    assert (
        await sandbox.bash("ls /proc/acpi /proc/scsi /proc/asound 2>/dev/null | grep -v :")
    ).output.strip() == b""
