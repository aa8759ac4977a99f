"""The system calls of every sandbox: one profile, written for Docker and for bubblewrap.

What is not named here is refused: the names are those of Docker's own default profile for a
container without capabilities, so nothing that it closes is opened by this one in its place.
Beyond it, io_uring is missing, a socket is of a family that has a use inside, and no file is given
space without being written. Programs of another
architecture (32-bit ones) have no calls at all, for their arguments stand elsewhere.
Sources: moby/profiles/seccomp (Apache-2.0), seccomp(2), linux/filter.h, linux/audit.h.
"""

from __future__ import annotations

import errno
import json
import platform
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

CALLS = """
accept:43:202 accept4:288:242 access:21:- adjtimex:159:171 alarm:37:- arch_prctl:158:- bind:49:200
brk:12:214 cachestat:451:451 capget:125:90 capset:126:91 chdir:80:49 chmod:90:- chown:92:-
clock_adjtime:305:266 clock_getres:229:114 clock_gettime:228:113 clock_nanosleep:230:115
close:3:57 close_range:436:436 connect:42:203 creat:85:- dup:32:23
dup2:33:- dup3:292:24 epoll_create:213:- epoll_create1:291:20 epoll_ctl:233:21 epoll_ctl_old:214:-
epoll_pwait:281:22 epoll_pwait2:441:441 epoll_wait:232:- epoll_wait_old:215:- eventfd:284:-
eventfd2:290:19 execve:59:221 execveat:322:281 exit:60:93 exit_group:231:94 faccessat:269:48
faccessat2:439:439 fadvise64:221:223 fanotify_mark:301:263 fchdir:81:50 fchmod:91:52
fchmodat:268:53 fchmodat2:452:452 fchown:93:55 fchownat:260:54 fcntl:72:25 fdatasync:75:83
fgetxattr:193:10 flistxattr:196:13 flock:73:32 fork:57:- fremovexattr:199:16 fsetxattr:190:7
fstat:5:80 fstatfs:138:44 fsync:74:82 ftruncate:77:46 futex:202:98 futex_requeue:456:456
futex_wait:455:455 futex_waitv:449:449 futex_wake:454:454 futimesat:261:- get_robust_list:274:100
get_thread_area:211:- getcpu:309:168 getcwd:79:17 getdents:78:- getdents64:217:61 getegid:108:177
geteuid:107:175 getgid:104:176 getgroups:115:158 getitimer:36:102 getpeername:52:205
getpgid:121:155 getpgrp:111:- getpid:39:172 getppid:110:173 getpriority:140:141 getrandom:318:278
getresgid:120:150 getresuid:118:148 getrlimit:97:163 getrusage:98:165 getsid:124:156
getsockname:51:204 getsockopt:55:209 gettid:186:178 gettimeofday:96:169 getuid:102:174
getxattr:191:8 getxattrat:464:464 inotify_add_watch:254:27 inotify_init:253:- inotify_init1:294:26
inotify_rm_watch:255:28 io_cancel:210:3 io_destroy:207:1 io_getevents:208:4 io_pgetevents:333:292
io_setup:206:0 io_submit:209:2 ioprio_get:252:31 ioprio_set:251:30 kill:62:129
landlock_add_rule:445:445 landlock_create_ruleset:444:444 landlock_restrict_self:446:446
lchown:94:- lgetxattr:192:9 link:86:- linkat:265:37 listen:50:201 listmount:458:458
listxattr:194:11 listxattrat:465:465 llistxattr:195:12 lremovexattr:198:15 lseek:8:62
lsetxattr:189:6 lstat:6:- madvise:28:233 map_shadow_stack:453:453 membarrier:324:283
memfd_create:319:279 memfd_secret:447:447 mincore:27:232 mkdir:83:- mkdirat:258:34 mknod:133:-
mknodat:259:33 mlock:149:228 mlock2:325:284 mlockall:151:230 mmap:9:222 modify_ldt:154:-
mprotect:10:226 mq_getsetattr:245:185 mq_notify:244:184 mq_open:240:180 mq_timedreceive:243:183
mq_timedsend:242:182 mq_unlink:241:181 mremap:25:216 mseal:462:462 msgctl:71:187 msgget:68:186
msgrcv:70:188 msgsnd:69:189 msync:26:227 munlock:150:229 munlockall:152:231 munmap:11:215
name_to_handle_at:303:264 nanosleep:35:101 newfstatat:262:79 open:2:- openat:257:56
openat2:437:437 pause:34:- pidfd_open:434:434 pidfd_send_signal:424:424 pipe:22:- pipe2:293:59
pkey_alloc:330:289 pkey_free:331:290 pkey_mprotect:329:288 poll:7:- ppoll:271:73 prctl:157:167
pread64:17:67 preadv:295:69 preadv2:327:286 prlimit64:302:261 process_mrelease:448:448
process_vm_readv:310:270 process_vm_writev:311:271 pselect6:270:72 ptrace:101:117 pwrite64:18:68
pwritev:296:70 pwritev2:328:287 read:0:63 readahead:187:213 readlink:89:- readlinkat:267:78
readv:19:65 recvfrom:45:207 recvmmsg:299:243 recvmsg:47:212 remap_file_pages:216:234
removexattr:197:14 removexattrat:466:466 rename:82:- renameat:264:38 renameat2:316:276
restart_syscall:219:128 rmdir:84:- rseq:334:293 rt_sigaction:13:134 rt_sigpending:127:136
rt_sigprocmask:14:135 rt_sigqueueinfo:129:138 rt_sigreturn:15:139 rt_sigsuspend:130:133
rt_sigtimedwait:128:137 rt_tgsigqueueinfo:297:240 sched_get_priority_max:146:125
sched_get_priority_min:147:126 sched_getaffinity:204:123 sched_getattr:315:275
sched_getparam:143:121 sched_getscheduler:145:120 sched_rr_get_interval:148:127
sched_setaffinity:203:122 sched_setattr:314:274 sched_setparam:142:118 sched_setscheduler:144:119
sched_yield:24:124 seccomp:317:277 select:23:- semctl:66:191 semget:64:190 semop:65:193
semtimedop:220:192 sendfile:40:71 sendmmsg:307:269 sendmsg:46:211 sendto:44:206
set_robust_list:273:99 set_thread_area:205:- set_tid_address:218:96 setfsgid:123:152
setfsuid:122:151 setgid:106:144 setgroups:116:159 setitimer:38:103 setpgid:109:154
setpriority:141:140 setregid:114:143 setresgid:119:149 setresuid:117:147 setreuid:113:145
setrlimit:160:164 setsid:112:157 setsockopt:54:208 setuid:105:146 setxattr:188:5
setxattrat:463:463 shmat:30:196 shmctl:31:195 shmdt:67:197 shmget:29:194 shutdown:48:210
sigaltstack:131:132 signalfd:282:- signalfd4:289:74 splice:275:76 stat:4:- statfs:137:43
statmount:457:457 statx:332:291 symlink:88:- symlinkat:266:36 sync:162:81 sync_file_range:277:84
syncfs:306:267 sysinfo:99:179 tee:276:77 tgkill:234:131 time:201:- timer_create:222:107
timer_delete:226:111 timer_getoverrun:225:109 timer_gettime:224:108 timer_settime:223:110
timerfd_create:283:85 timerfd_gettime:287:87 timerfd_settime:286:86 times:100:153 tkill:200:130
truncate:76:45 umask:95:166 uname:63:160 unlink:87:- unlinkat:263:35 utime:132:- utimensat:280:88
utimes:235:- vfork:58:- vmsplice:278:75 wait4:61:260 waitid:247:95 write:1:64 writev:20:66
"""
"""Calls that are always allowed: a name, and its numbers on x86_64 and on aarch64."""

_ALL_BITS = 0xFFFFFFFF
_NAMESPACES = 0x7E020000
"""Every `CLONE_NEW…` flag of clone(2)."""
_PUNCH_HOLE = 2
_UNIX, _INET, _INET6, _NETLINK, _NETLINK_ROUTE = 1, 2, 10, 16, 0

_SPACE_CALLS = 0x40305800
"""What the requests of ioctl(2) that reserve a file's space have in common (linux/falloc.h)."""

Comparison = Literal["is", "has", "has none of"]


@dataclass(frozen=True, slots=True)
class Condition:
    """What an argument of a call must be."""

    argument: int
    comparison: Comparison
    value: int
    """For `has`, a single bit."""
    mask: int = _ALL_BITS
    """For `is`, the bits that are compared."""


@dataclass(frozen=True, slots=True)
class SyscallRule:
    """A call that is not always allowed: only when all conditions of an alternative hold."""

    name: str
    numbers: tuple[int, int]
    alternatives: tuple[tuple[Condition, ...], ...] = ()
    error: int = errno.EPERM


def _is_one_of(argument: int, *values: int) -> tuple[tuple[Condition, ...], ...]:
    return tuple((Condition(argument, "is", value),) for value in values)


def _differs(argument: int, value: int, *, mask: int) -> tuple[tuple[Condition, ...], ...]:
    """Return an alternative for every bit that may differ; libseccomp knows no masked "is not"."""
    found = []
    for bit in (1 << place for place in range(31, -1, -1)):
        if mask & bit:
            above = mask & ~(bit - 1)
            found.append((Condition(argument, "is", (value ^ bit) & above, above),))
    return tuple(found)


CHECKED = (
    # The flags of clone3 lie in memory, where no filter sees them: libraries fall back to clone.
    SyscallRule("clone3", (435, 435), error=errno.ENOSYS),
    # One call copies any amount, which nothing stops: programs fall back to reading and writing.
    SyscallRule("copy_file_range", (326, 285), error=errno.ENOSYS),
    SyscallRule("io_uring_setup", (425, 425), error=errno.ENOSYS),
    SyscallRule("io_uring_enter", (426, 426), error=errno.ENOSYS),
    SyscallRule("io_uring_register", (427, 427), error=errno.ENOSYS),
    SyscallRule("clone", (56, 220), ((Condition(0, "has none of", _NAMESPACES),),)),
    SyscallRule("personality", (135, 92), _is_one_of(0, 0, 8, 0x20000, 0x20008, 0xFFFFFFFF)),
    # Of netlink only what lists a sandbox's own interfaces (getifaddrs, `ip`).
    SyscallRule(
        "socket",
        (41, 198),
        (
            *_is_one_of(0, _UNIX, _INET, _INET6),
            (Condition(0, "is", _NETLINK), Condition(2, "is", _NETLINK_ROUTE)),
        ),
    ),
    SyscallRule("socketpair", (53, 199), _is_one_of(0, _UNIX)),
    # The disk limit is held by looking, and these give a file gigabytes at once. The C library's
    # posix_fallocate writes zeros instead.
    SyscallRule(
        "fallocate",
        (285, 47),
        ((Condition(1, "has", _PUNCH_HOLE),),),
        error=errno.EOPNOTSUPP,
    ),
    SyscallRule("ioctl", (16, 29), _differs(1, _SPACE_CALLS, mask=0xFFFFFF00)),
)


# As the Docker engine takes it.

_ARCHITECTURES = ("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64")


def docker_profile() -> str:
    """Return the profile as JSON."""
    always = sorted(name for name, _ in _numbered())
    rules: list[dict[str, Any]] = [{"names": always, "action": "SCMP_ACT_ALLOW"}]
    for call in CHECKED:
        for tests in call.alternatives:
            arguments = [_argument(test) for test in tests]
            rules.append({"names": [call.name], "action": "SCMP_ACT_ALLOW", "args": arguments})
        if call.error != errno.EPERM:
            refused = {"names": [call.name], "action": "SCMP_ACT_ERRNO", "errnoRet": call.error}
            opposites = [_opposite(*tests) for tests in call.alternatives]
            rules.append(refused | ({"args": opposites} if opposites else {}))
    profile = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "archMap": [{"architecture": name, "subArchitectures": []} for name in _ARCHITECTURES],
        "syscalls": rules,
    }
    return json.dumps(profile, separators=(",", ":"))


def _argument(condition: Condition) -> dict[str, Any]:
    match condition.comparison:
        case "is" if condition.mask == _ALL_BITS:
            wanted = {"op": "SCMP_CMP_EQ", "value": condition.value}
        case "is":
            wanted = _masked(condition.mask, condition.value)
        case "has":
            wanted = _masked(condition.value, condition.value)
        case "has none of":
            wanted = _masked(condition.value, 0)
    return {"index": condition.argument, **wanted}


def _masked(mask: int, value: int) -> dict[str, Any]:
    return {"op": "SCMP_CMP_MASKED_EQ", "value": mask, "valueTwo": value}


def _opposite(condition: Condition) -> dict[str, Any]:
    """Return when a test fails; libseccomp knows no "otherwise" with an error of its own."""
    assert condition.comparison == "has"
    return {"index": condition.argument, **_masked(condition.value, 0)}


# As the kernel takes it: a program of the classic packet filter.

_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine → the column of its numbers, and how the kernel names it."""
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Their positions in `seccomp_data`; an argument has its lower half first."""
_LOAD, _AND, _IF_EQUAL, _IF_AT_LEAST, _IF_SET, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000

_Line = tuple[int, int, int, int]
"""A code, what to skip when its comparison holds and when not, and its number."""
_Outcome = tuple[_Line, ...]


def call_filter(machine: str | None = None) -> bytes | None:
    """Return the filter as the kernel takes it; None for a machine whose numbers are not known."""
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    column, architecture = known
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, architecture),
        *_error(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        *_tree(_ranges(column)),
    ]
    return b"".join(struct.pack("=HBBI", *line) for line in program)


def _numbered() -> Iterable[tuple[str, tuple[int | None, ...]]]:
    for entry in CALLS.split():
        name, *numbers = entry.split(":")
        yield name, tuple(None if number == "-" else int(number) for number in numbers)


def _ranges(column: int) -> list[tuple[int, _Outcome]]:
    """Return where each range of numbers begins and what becomes of its calls, in order."""
    outcomes: dict[int, _Outcome] = {}
    for _, numbers in _numbered():
        if (number := numbers[column]) is not None:
            outcomes[number] = ((_RETURN, 0, 0, _ALLOW),)
    for call in CHECKED:
        outcomes[call.numbers[column]] = _checked(call)
    end = max(outcomes) + 1
    refused = _error(errno.EPERM)
    found = [(number, outcomes.get(number, refused)) for number in range(end)]
    found.append((end, _error(errno.ENOSYS)))  # what is newer than this profile, and x32's calls
    return [
        entry
        for before, entry in zip([None, *found], found, strict=False)
        if before is None or before[1] != entry[1]
    ]


def _tree(ranges: list[tuple[int, _Outcome]]) -> list[_Line]:
    """Find the range of the number that is loaded, halving what is left at every step."""
    if len(ranges) == 1:
        return list(ranges[0][1])
    middle = len(ranges) // 2
    below, above = _tree(ranges[:middle]), _tree(ranges[middle:])
    return [(_IF_AT_LEAST, len(below), 0, ranges[middle][0]), *below, *above]


def _checked(call: SyscallRule) -> _Outcome:
    lines = [line for tests in call.alternatives for line in _alternative(tests)]
    return (*lines, *_error(call.error))


def _alternative(tests: tuple[Condition, ...]) -> list[_Line]:
    """Return code that allows the call when all tests hold, else continues after itself."""
    lines: list[_Line] = [(_RETURN, 0, 0, _ALLOW)]
    for test in reversed(tests):
        lines = _test(test, len(lines)) + lines
    return lines


def _test(test: Condition, left: int) -> list[_Line]:
    """`left` lines are skipped when the test fails."""
    low = _ARGUMENTS + 8 * test.argument
    load: _Line = (_LOAD, 0, 0, low)
    match test.comparison:
        case "is":
            masked: list[_Line] = [(_AND, 0, 0, test.mask)] if test.mask != _ALL_BITS else []
            return [load, *masked, (_IF_EQUAL, 0, left, test.value)]
        case "has":
            return [load, (_IF_SET, 0, left, test.value)]
        case "has none of":
            return [load, (_IF_SET, left, 0, test.value)]


def _error(number: int) -> _Outcome:
    return ((_RETURN, 0, 0, _ERROR | number),)
