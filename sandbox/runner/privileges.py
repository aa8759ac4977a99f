"""Who is who inside: the supervisor's own uid, the workers' and the commands'.

The supervisor keeps KILL, SETUID and SETGID at a uid of its own, so that no command can signal,
stop or trace it. Commands run at the workspace owner's uid without any capability.
Sources: capabilities(7), prctl(2), setfsuid(2), ptrace(2).
"""

from __future__ import annotations

import ctypes
import grp
import os
import pwd
import resource
from contextlib import suppress

from . import SUPERVISOR_UID

HOME = "/home/sii"

_PR_SET_DUMPABLE = 4
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_CAP_KILL, _CAP_SETGID, _CAP_SETUID = 5, 6, 7
_KEPT = 1 << _CAP_KILL | 1 << _CAP_SETGID | 1 << _CAP_SETUID
_CAPABILITY_VERSION_3 = 0x20080522
_WANTED_FILES = 65536

_libc = ctypes.CDLL(None, use_errno=True)


class PrivilegeError(RuntimeError):
    """The roles cannot be set up here; the message is one sentence."""


class Identity:
    """Who commands are."""

    def __init__(self, uid: int, gid: int, name: str, home: str) -> None:
        self.uid = uid
        self.gid = gid
        self.name = name
        self.home = home


class Roles:
    """Commands' identity, and whether the supervisor has a uid of its own."""

    def __init__(self, owner: Identity, *, separate: bool) -> None:
        self.owner = owner
        self.separate = separate


def take_roles(workspace: str, directory: str) -> Roles:
    """Find the workspace's owner, make a home for it, and become the supervisor.

    `directory` is the supervisor's own and is given to it.

    Without root (a sandbox that maps one uid only) everything keeps that uid.
    """
    status = os.stat(workspace)
    if os.geteuid() != 0 or not _has_capability(_CAP_SETUID):
        owner = _identity(os.getuid(), os.getgid())
        _prctl(_PR_SET_DUMPABLE, 0)
        return Roles(owner, separate=False)
    if status.st_uid == SUPERVISOR_UID:
        raise PrivilegeError(f"the workspace belongs to uid {SUPERVISOR_UID}, which sii keeps")
    owner = _identity(status.st_uid, status.st_gid)
    os.chown(directory, SUPERVISOR_UID, SUPERVISOR_UID)
    _become_supervisor()
    return Roles(owner, separate=True)


def _has_capability(number: int) -> bool:
    with open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"CapEff:"):
                return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _identity(uid: int, gid: int) -> Identity:
    """Give the uid a name and a home, also when the image does not know it."""
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        name = "sii" if not _name_taken("sii") else f"sii-{uid}"
        _append("/etc/passwd", f"{name}:x:{uid}:{gid}::{HOME}:/bin/bash\n")
        home = HOME
    else:
        name, home = entry.pw_name, entry.pw_dir
    with suppress(KeyError, OSError):
        _ensure_group(gid, name)
    return Identity(uid, gid, name, _make_home(home, uid, gid))


def _name_taken(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _ensure_group(gid: int, name: str) -> None:
    try:
        grp.getgrgid(gid)
    except KeyError:
        _append("/etc/group", f"{name}:x:{gid}:\n")


def _append(path: str, line: str) -> None:
    """Add a line; an image that does not let us goes without."""
    with suppress(OSError), open(path, "r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(line.encode())


def _make_home(home: str, uid: int, gid: int) -> str:
    for path in (home, HOME):
        with suppress(OSError):
            if not os.path.isdir(path):
                os.makedirs(path, 0o755)
            if path == HOME:
                os.chown(path, uid, gid)
            if os.stat(path).st_uid == uid:
                return path
    return "/tmp"


def _become_supervisor() -> None:
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(SUPERVISOR_UID, SUPERVISOR_UID, SUPERVISOR_UID)
    os.setresuid(SUPERVISOR_UID, SUPERVISOR_UID, SUPERVISOR_UID)
    _set_capabilities(_KEPT)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # The kernel marks a process that changes its uid as not dumpable, and then /proc/self belongs
    # to root. Ours again: other uids are refused by ptrace(2)'s access check either way.
    _prctl(_PR_SET_DUMPABLE, 1)


def become_worker(roles: Roles, *, file_size: int) -> None:
    """Become a file worker: files are opened as the owner, signals are refused as before.

    Only the filesystem uid changes (setfsuid), so a command cannot signal or trace a worker.
    """
    if roles.separate:
        _libc.setfsgid(ctypes.c_uint(roles.owner.gid))
        _libc.setfsuid(ctypes.c_uint(roles.owner.uid))
        _set_capabilities(0)
    _prctl(_PR_SET_DUMPABLE, int(roles.separate))
    _lower_limit(resource.RLIMIT_FSIZE, file_size)


def become_owner(roles: Roles, *, nice: int, open_files: int, file_size: int) -> None:
    """Become a command, for good: the owner's uid, no capability, limits set. Then exec."""
    os.nice(nice)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("500")
    if roles.separate:
        os.setgroups([])
        os.setresgid(roles.owner.gid, roles.owner.gid, roles.owner.gid)
        os.setresuid(roles.owner.uid, roles.owner.uid, roles.owner.uid)
        _set_capabilities(0)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind, limit in ((resource.RLIMIT_NOFILE, open_files), (resource.RLIMIT_FSIZE, file_size)):
        _lower_limit(kind, limit)


def allow_many_files() -> None:
    """Raise the soft limit of descriptors: every job that runs holds one of the supervisor's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, _WANTED_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _lower_limit(kind: int, limit: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(kind, (limit, limit))


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise PrivilegeError(f"prctl({option}) failed: {os.strerror(ctypes.get_errno())}")


def _set_capabilities(mask: int) -> None:
    """Set effective and permitted to `mask`, inheritable to nothing."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    if _libc.capset(header, data) != 0:
        raise PrivilegeError(f"capset failed: {os.strerror(ctypes.get_errno())}")
