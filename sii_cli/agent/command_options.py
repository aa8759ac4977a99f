"""The options of programs that run the command after them: where that command begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a program, as `getopt_long` reads them. Others make a command unknown."""

    flags: str = ""
    """Letters of options without a value."""
    valued: str = ""
    """Letters of options with a value."""
    optional: str = ""
    """Letters of options whose value can only follow at once: `-i{}`."""
    long: frozenset[str] = field(default_factory=frozenset)
    """Long options without a value, or with one after `=` alone."""
    long_valued: frozenset[str] = field(default_factory=frozenset)
    words: int = 0
    """Words between the options and the command."""

    def command(self, words: Sequence[str | None]) -> Sequence[str | None] | None:
        """Return the words of the command that is run; `None` where that is not certain."""
        at = 0
        while at < len(words):
            word = words[at]
            if word is None:
                return None
            if word == "--":
                at += 1
                break
            if not word.startswith("-") or (word == "-" and "-" not in self.flags):
                break
            taken = self._taken_by_long(word) if word[:2] == "--" else self._taken(word)
            if taken is None:
                return None
            at += taken
        return words[at + self.words :]

    def _taken(self, word: str) -> int | None:
        """Return how many words short options take; `None` where one is not known."""
        for place, letter in enumerate(word[1:], 2):
            if letter in self.optional:
                return 1
            if letter in self.valued:
                return 1 if place < len(word) else 2
            if letter not in self.flags:
                return None
        return 1

    def _taken_by_long(self, word: str) -> int | None:
        """Return how many words a long option takes, which may be shortened."""
        name, equals, _ = word.partition("=")
        found = [one for one in (*self.long, *self.long_valued) if one.startswith(name)]
        if name in found:
            found = [name]
        if len(found) != 1:
            return None
        return 2 if found[0] in self.long_valued and not equals else 1


def _long(names: str) -> frozenset[str]:
    return frozenset(f"--{name}" for name in names.split())


RUN_OTHERS = {
    "builtin": Options(),
    "command": Options(flags="pvV"),
    "env": Options(
        flags="-i0v",
        valued="uCa",
        long=_long("ignore-environment null debug"),
        long_valued=_long("unset chdir argv0"),
    ),
    "exec": Options(flags="cl", valued="a"),
    "nice": Options(flags="0123456789", valued="n", long_valued=_long("adjustment")),
    "nohup": Options(),
    "setsid": Options(flags="cfw", long=_long("ctty fork wait")),
    "stdbuf": Options(valued="ioe", long_valued=_long("input output error")),
    "sudo": Options(
        flags="AbEeHiKklnPSsVvB",
        valued="CDghpRrtTuU",
        long=_long(
            "askpass background bell edit help list login no-update non-interactive preserve-env "
            "preserve-groups remove-timestamp reset-timestamp set-home shell stdin validate version"
        ),
        long_valued=_long(
            "chdir chroot close-from command-timeout group host other-user prompt role type user"
        ),
    ),
    "time": Options(flags="p"),
    "timeout": Options(
        flags="fpv",
        valued="ks",
        long=_long("foreground preserve-status verbose"),
        long_valued=_long("kill-after signal"),
        words=1,
    ),
    "xargs": Options(
        flags="0oprtx",
        valued="adEILnPs",
        optional="eil",
        long=_long(
            "eof exit interactive max-lines no-run-if-empty null open-tty replace show-limits "
            "verbose"
        ),
        long_valued=_long("arg-file delimiter max-args max-chars max-procs process-slot-var"),
    ),
}
"""Programs that run the command after them. What `env -S` runs is not read."""
COUNT_THEMSELVES = frozenset({"sudo", "xargs", "exec"})
"""Those of them that are commands of their own, too: they do more than to run the other."""
RUN_UNREAD = frozenset(
    (
        *("busybox", "choom", "chroot", "chrt", "coproc", "doas", "fakeroot", "flock", "ionice"),
        *("ltrace", "nsenter", "numactl", "parallel", "pkexec", "prlimit", "runcon", "runuser"),
        *("script", "setarch", "setpriv", "strace", "su", "taskset", "toybox", "unbuffer"),
        *("unshare", "valgrind", "watch"),
    )
)
"""Programs that run a command too, whose options are not read: what they run is not known."""


def shell_script(words: Sequence[str | None]) -> tuple[bool, Sequence[str | None]] | None:
    """Return, for the words behind the name of a shell, whether it takes a script from its words
    (`-c`), and what follows its options; `None` where that is not certain, or it reads stdin.
    """
    takes, at = False, 0
    while at < len(words):
        word = words[at]
        if word is None:
            return None
        if word in ("-", "--"):
            at += 1
            break
        if word[:1] not in ("-", "+"):
            break
        if word.startswith("--"):
            at += 2 if word in ("--rcfile", "--init-file") else 1
            continue
        if word[0] == "-" and "s" in word:
            return None
        takes = takes or (word[0] == "-" and "c" in word)
        at += 1 + word.count("o") + word.count("O")
    return takes, words[at:]
