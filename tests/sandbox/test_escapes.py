"""What a hostile command tries, and what becomes of it: refused, and the session goes on."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from sandbox.protocol import FileError, Limits, Sandbox
from sandbox.seccomp import call_filter
from tests.sandbox.conftest import Start


async def test_commands_hold_no_capability_and_can_gain_none(sandbox: Sandbox) -> None:
    result = await sandbox.bash(
        "grep -E 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs|Seccomp:' /proc/self/status"
    )
    values = dict(line.split(b":\t") for line in result.output.splitlines())
    assert {int(values[name], 16) for name in values if name.startswith(b"Cap")} == {0}
    assert values[b"NoNewPrivs"] == b"1"
    if sandbox.info.backend == "docker":
        assert values[b"Seccomp"] == b"2"


@pytest.mark.parametrize("owner", [0, 1000, 54321])
async def test_no_command_can_signal_stop_trace_or_read_the_supervisor(
    start: Start, workspace: Path, owner: int
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give the workspace to another user")
    os.chown(workspace, owner, owner)
    sandbox = await start()
    assert sandbox.info.uid == owner
    await asyncio.gather(*(sandbox.read_file("/etc/passwd") for _ in range(10)))  # all workers run
    tries = """
        id -u; touch mine
        for pid in 1 $(pgrep -f 'python3 -I'); do
          for number in STOP KILL TERM USR1 INT; do kill -$number $pid && echo SIGNALLED $pid; done
          cat /proc/$pid/environ && echo READ environ
          cat /proc/$pid/maps && echo READ maps
          ls -l /proc/$pid/fd/* && echo READ fd
          cat /proc/$pid/root/etc/hostname && echo READ root
          echo x > /proc/$pid/mem && echo WROTE mem
          echo x > /proc/$pid/oom_score_adj && echo WROTE oom
          renice 19 $pid && echo RENICED
        done
        python3 - $(pgrep -f 'python3 -I') <<'END'
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
print('tracing', len(sys.argv[1:]))
for pid in map(int, sys.argv[1:]):
    if libc.ptrace(16, pid, 0, 0) == 0: print('TRACED', pid)
END
    """
    result = await sandbox.bash(tries, timeout=20)
    text = result.output.decode("utf-8", "replace")
    assert text.startswith(f"{owner}\n")
    assert "tracing 3\n" in text
    for word in ("SIGNALLED", "READ", "WROTE", "RENICED", "TRACED"):
        assert word not in text, text
    assert (workspace / "mine").stat().st_uid == owner
    assert await sandbox.ping() < 1


@pytest.mark.parametrize(
    "attempt",
    [
        "mount -t tmpfs none /mnt",
        "mount --bind / /mnt",
        "mount -o remount,rw /opt/sii/runner",
        "touch /opt/sii/runner/supervisor.py",
        "unshare -r true",
        "unshare -m true",
        "chroot / true",
        "mknod /tmp/disk b 8 0",
        "dmesg",
        "echo 0 > /proc/sys/kernel/panic",
        "echo h > /proc/sysrq-trigger",
        "echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes",
        "su -c true",
        "sudo -n true",
        "setpriv --reuid 64999 true",
        "ls /var/run/docker.sock",
        "echo x > /run/sii/bash",
        "rm -f /run/sii/bash.out",
        "cat /run/sii/bash.out",
        "echo > /dev/tcp/172.17.0.1/80",
        "getent hosts example.org",
    ],
)
async def test_attempts_are_refused(sandbox: Sandbox, attempt: str) -> None:
    result = await sandbox.bash(f"timeout 3 sh -c {attempt!r}", fresh=True)
    assert result.exit_code not in {0, 124}, result.output
    assert (await sandbox.bash("echo fine")).output == b"fine\n"


NEW_NAMESPACES = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
USER, MOUNT, CGROUP = 0x10000000, 0x20000, 0x02000000
if libc.unshare(USER | MOUNT | CGROUP) == 0:
    print("unshared")
os.makedirs("/tmp/there", exist_ok=True)
if libc.mount(b"none", b"/tmp/there", b"cgroup2", 0, b"") == 0:
    print("the host's cgroups:", os.listdir("/tmp/there"))
pid = libc.syscall({"x86_64": 56, "aarch64": 220}[os.uname().machine], USER | 17, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
if pid > 0:
    print("cloned")
if libc.syscall(435, ctypes.create_string_buffer(64), 64) != -1 or ctypes.get_errno() != 38:
    print("clone3 is there, whose flags no filter sees")
"""


async def test_no_command_makes_a_user_namespace_of_its_own(sandbox: Sandbox) -> None:
    if call_filter() is None:
        pytest.skip("the numbers of this machine's system calls are not known")
    await sandbox.write_file("/tmp/new.py", NEW_NAMESPACES.encode())
    result = await sandbox.bash("python3 /tmp/new.py")
    assert (result.output, result.exit_code) == (b"", 0)
    code = "import threading\nt = threading.Thread(target=print, args=['ran'])\nt.start()\nt.join()"
    assert (await sandbox.python(code)).output == b"ran\n"


KEYS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for number in {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}[os.uname().machine]:
    print(libc.syscall(number, 0, -4, 0, 0, 0), ctypes.get_errno())
"""


async def test_no_command_reads_the_keys_that_the_kernel_keeps_for_its_uid(
    sandbox: Sandbox,
) -> None:
    if call_filter() is None:
        pytest.skip("the numbers of this machine's system calls are not known")
    assert (await sandbox.python(KEYS)).output == b"-1 1\n" * 3


async def test_a_set_uid_program_gives_nothing(sandbox: Sandbox) -> None:
    result = await sandbox.bash(
        "cp /usr/bin/id /tmp/id && chmod u+s /tmp/id && /tmp/id -u; id -u; find / -xdev -perm -4000"
        " -type f -exec {} --version \\; >/dev/null 2>&1; id -u"
    )
    assert len(set(result.output.split())) == 1


async def test_a_daemon_with_its_own_session_is_ended_by_kill_all(sandbox: Sandbox) -> None:
    await sandbox.bash("setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 77; done' &")
    await sandbox.kill_all()
    assert (await sandbox.bash("pgrep -x sleep")).output == b""


async def test_orphans_leave_no_zombies(sandbox: Sandbox) -> None:
    await sandbox.bash("for i in $(seq 50); do (sleep 0.01 &) ; done; sleep 0.3")
    assert (await sandbox.bash("ps -eo stat | grep -c Z")).output == b"0\n"


async def test_a_swapped_link_never_shows_the_host(
    sandbox: Sandbox, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("of the host")
    await sandbox.bash(
        f"echo inside > real; (while :; do ln -sfn real swap; ln -sfn {tmp_path}/secret swap; done)"
        " >/dev/null 2>&1 &"
    )
    for _ in range(100):
        try:
            assert (await sandbox.read_file("swap")).data == b"inside\n"
            await sandbox.write_file("swap", b"inside\n")
        except FileError:
            continue
    assert (tmp_path / "secret").read_text() == "of the host"


async def test_a_stopped_or_killed_worker_is_no_commands_doing(sandbox: Sandbox) -> None:
    await sandbox.bash("kill -STOP -1; kill -9 -1", fresh=True)
    await sandbox.write_file("f", b"x")
    assert (await sandbox.read_file("f")).data == b"x"


async def test_small_writes_without_end_do_not_flood_the_client(start: Start) -> None:
    sandbox = await start(Limits(output=1 << 20))
    pieces: list[bytes] = []
    code = "import os, time\nb = time.time()\nwhile time.time() - b < 1: os.write(1, b'x')"
    await sandbox.python(code, on_output=pieces.append)
    assert len(pieces) < 400


async def test_a_hundred_thousand_small_files(sandbox: Sandbox) -> None:
    result = await sandbox.bash(
        "mkdir many; python3 -c \"for n in range(100_000): open(f'many/{n}', 'w').close()\"",
        timeout=100,
    )
    assert result.exit_code == 0
    assert await sandbox.ping() < 0.5
    await asyncio.wait_for(sandbox.bash("rm -r many", timeout=60), 60)


@pytest.mark.parametrize("forged", ["7 - /forged\\0", "garbage\\0", "$(seq 100000)"])
async def test_a_shell_command_cannot_answer_for_the_shell(sandbox: Sandbox, forged: str) -> None:
    for fd in range(3, 16):
        attempt = f'{{ printf "{forged}" >&{fd}; }} 2>/dev/null; false'
        result = await sandbox.bash(attempt, timeout=20)
        assert result.exit_code == 1 or result.lost_state is not None
        following = await sandbox.bash("echo next")
        if following.lost_state is not None:  # what was written was seen after the answer
            following = await sandbox.bash("echo next")
        assert (following.output, following.exit_code) == (b"next\n", 0)


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.write(9, b'garbage\\0')",
        'import os; os.write(9, b\'{"exit_code": 7, "cwd": "/", "children": 0} token\\0\')',
        "import os\nwhile True: os.write(9, bytes(1 << 16).replace(b'\\0', b'x'))",
        "import os; os.closerange(3, 100)",
        "import os; os.kill(os.getpid(), 9)",
    ],
)
async def test_code_cannot_answer_for_the_interpreter(sandbox: Sandbox, code: str) -> None:
    await sandbox.bash("x=kept")
    result = await sandbox.python(f"{code}\nimport time; time.sleep(0.5)", timeout=20)
    assert result.lost_state is not None
    assert (await sandbox.python("1 + 1")).output == b"2\n"
    assert (await sandbox.bash("echo $x")).output == b"kept\n"
