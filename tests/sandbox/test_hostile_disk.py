"""Writing at full speed, by whatever call: all writers stop soon after the disk limit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sandbox.docker.backend import DockerBackend
from sandbox.protocol import Limits, Sandbox, SandboxSpec
from tests.sandbox.conftest import IMAGE, Start

pytestmark = [pytest.mark.hostile, pytest.mark.alone]

MIB = 1 << 20
LIMIT = 256 * MIB
OVERSHOOT = 64 * MIB
WRITERS = {
    "one dd": "dd if=/dev/zero of=f bs=1M count=4096",
    "four dds": "for i in 1 2 3 4; do dd if=/dev/zero of=f$i bs=1M count=4096 & done; wait",
    "one huge write": "python3 -c \"import os; os.write(os.open('f', 65), bytes(1500 << 20))\"",
    "huge writes at once": 'for i in 1 2 3; do python3 -c "import os; b = bytes(700 << 20);'
    " os.write(os.open('f$i', 65), b)\" & done; wait",
    "fallocate": "fallocate -l 4G f || fallocate -x -l 4G f",
    "many fallocates": "for i in $(seq 400); do fallocate -l 16M f$i ||"
    " fallocate -xl 16M f$i; done",
    "small files": 'for i in 1 2 3; do python3 -c "import itertools\nfor n in itertools.count():'
    " open(f'$i-{n}', 'wb').write(bytes(20_000))\" & done; wait",
    "a sparse file that is filled": 'truncate -s 4G f; python3 -c "import mmap, os\n'
    "m = mmap.mmap(os.open('f', os.O_RDWR), 4 << 30)\nfor n in range(0, 4 << 30, 4096): m[n] = 1\"",
    "copies": "dd if=/dev/urandom of=f bs=1M count=100; for i in $(seq 40); do"
    " cp f g$i & done; wait",
    "a file without a name": "python3 -c \"import os; f = os.open('.', os.O_TMPFILE | os.O_RDWR)\n"
    'b = bytes(1 << 20)\nwhile True: os.write(f, b)"',
    "sendfile": "truncate -s 4G f; python3 -c \"import os\na = os.open('f', 0)\n"
    "b = os.open('g', 65)\n"
    'while True: os.sendfile(b, a, 0, 2 << 30)"',
    "a huge write among many files": 'python3 -c "import os\nfor n in range(40_000):'
    " open(f'n{n}', 'x').close()\nos.write(os.open('f', 65), bytes(1500 << 20))\"",
    "a crowd": "for i in $(seq 100); do dd if=/dev/zero of=f$i bs=64k count=100000 & done; wait",
}


def on_disk(folder: Path) -> int:
    """Bytes that the folder's files hold, as the limit counts them."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


@pytest.mark.bomb
@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS)
async def test_all_writers_stop_soon_after_the_limit(
    start: Start, workspace: Path, writer: str
) -> None:
    sandbox = await start(Limits(disk=LIMIT))
    script = f"{{\n{WRITERS[writer]}\n}} >/dev/null 2>&1"
    result = await sandbox.bash(script, timeout=120)
    written = await asyncio.to_thread(on_disk, workspace)
    assert "disk" in result.limits_hit, result
    assert written <= LIMIT + OVERSHOOT
    assert await goes_on(sandbox)


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("place", ["~", "/var/tmp"])
async def test_the_containers_own_layer_is_held_to_the_same(workspace: Path, place: str) -> None:
    sandbox = await DockerBackend().start(SandboxSpec(workspace, IMAGE, Limits(disk=LIMIT)))
    try:
        writers = f"for i in 1 2 3; do dd if=/dev/zero of={place}/f$i bs=1M count=4000 & done; wait"
        result = await sandbox.bash(f"{{ {writers}; }} 2>/dev/null", timeout=120)
        assert "disk" in result.limits_hit, result
        written = await sandbox.bash(f"cat {place}/f* | wc -c")
        assert int(written.output) <= LIMIT + OVERSHOOT
    finally:
        await sandbox.close()


async def goes_on(sandbox: Sandbox) -> bool:
    cleared = await sandbox.bash("rm -rf /workspace/*; echo alive", timeout=60)
    return cleared.output == b"alive\n"
