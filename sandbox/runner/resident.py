"""A process that takes one command after another and keeps its state: the shell, the interpreter.

A command's text lies in a file; a short line on the process's stdin says "now"; the output goes
to a named pipe that is opened again for every command; the answer comes on a control pipe that
no command inherits. Named pipe and file belong to the supervisor: commands cannot remove them.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import deque
from contextlib import suppress

from .calls import Ending, RunningCommand
from .loop import Callback, EventLoop
from .processes import children_of, signal_with_group, with_descendants
from .spawn import Launcher

CONTROL_FD = 9
_LONGEST_ANSWER = 64 << 10
"""Bytes: a path has 4096 at most."""
_STEP = 0.5
"""Seconds between the steps of stopping a command: TERM, KILL, KILL, the process itself."""
_NO_PROCESS = frozenset((errno.EAGAIN, errno.ENOMEM))
_FORGED = "a command wrote to its own pipe, so that its state cannot be trusted"
_UNABLE = "it could not even begin this command (`set -r`?), which was not run"
_STEPS = (signal.SIGTERM, signal.SIGKILL, signal.SIGKILL)


class Resident:
    """Base of shell and interpreter. One command at a time; others wait in order."""

    name = "resident"
    title = "process"
    lost_words = "its state is lost"

    def __init__(
        self, loop: EventLoop, launcher: Launcher, directory: str, end_everything: Callback
    ) -> None:
        self._loop = loop
        self._end_everything = end_everything
        self._launcher = launcher
        self._text_path = f"{directory}/{self.name}"
        self._output_path = f"{directory}/{self.name}.out"
        self._text_fd = os.open(
            self._text_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644
        )
        self._pid: int | None = None
        self._stdin = -1
        self._control = -1
        self._answer = b""
        self._token = b""
        """Ends the answer to the running command, so that no command can give it by accident."""
        self._waiting: deque[RunningCommand] = deque()
        self._call: RunningCommand | None = None
        self._before: set[int] = set()
        self._stopping: set[int] = set()
        self._restarting = False
        self._dying = False
        self._given_up = False
        self._lost: str | None = None
        self._cwd: str | None = None
        self._has_children = False
        self._make_pipe()
        self._output = self._open_output()
        """The reading end of the named pipe, open for the next command."""

    # What differs between shell and interpreter.

    def _argv(self) -> list[str]:
        raise NotImplementedError

    def _trigger(self, token: bytes) -> bytes:
        raise NotImplementedError

    def _ending(self, answer: bytes) -> Ending:
        raise NotImplementedError

    def _interrupt(self) -> None:
        raise NotImplementedError

    def _began(self, call: RunningCommand) -> None:
        """Called when the process has received a call."""

    # Commands.

    def submit(self, call: RunningCommand) -> None:
        """Run the call when those before it are done."""
        self._waiting.append(call)
        self._next()

    def abort(self, call_id: int) -> bool:
        """End the call, keep the state; False when it is unknown."""
        for call in list(self._waiting):
            if call.id == call_id:
                self._waiting.remove(call)
                return True
        if self._call is None or self._call.id != call_id:
            return False
        self._stop(0)
        return True

    def _next(self) -> None:
        if self._call is not None or not self._waiting or self._dying:
            return
        if self._waiting[0].restart and self._pid is not None:
            self._restarting = True
            self._kill()
            return
        call = self._call = self._waiting.popleft()
        call.begin(self._output, lambda: self._stop(0))
        try:
            self.ensure_started()
            self._before = self._children() if self._has_children else set()
            os.pwrite(self._text_fd, call.text, 0)
            os.ftruncate(self._text_fd, len(call.text))
            self._token = os.urandom(4).hex().encode()
            os.write(self._stdin, self._trigger(self._token))
            self._began(call)
        except BrokenPipeError:
            return  # it has just died: its exit ends the call
        except OSError as error:
            self._end(call, Ending(126, lost=self._why_not(error)))
            self._call = None
            self._dying = True  # what was ended takes a moment to be gone
            self._loop.call_later(_STEP, self._go_on)

    def _go_on(self) -> None:
        self._dying = False
        self._next()

    def _why_not(self, error: OSError) -> str:
        """Say why a command could not run; make room where nothing inside could."""
        if error.errno not in _NO_PROCESS:
            return f"the {self.title} could not run: {error}"
        self._end_everything()
        return (
            f"the {self.title} could not be started, for no process could be made: this command "
            "was not run, and everything that ran was ended to make room"
        )

    def was_killed(self) -> None:
        """Note that every process was sent KILL: later commands wait for a new process."""
        self._dying = self._pid is not None

    def _finish(self, ending: Ending) -> None:
        call, self._call = self._call, None
        if call is None:
            return
        if ending.cwd is not None:
            self._cwd = ending.cwd
        if self._lost is not None and ending.lost is None:
            ending = Ending(ending.exit_code, ending.signal, self._lost, ending.cwd)
        self._lost = None
        self._end(call, ending)
        self._next()

    def _end(self, call: RunningCommand, ending: Ending) -> None:
        """End the call, and then make the pipe ready for the next one."""
        call.end(ending)
        if call.output_open:
            self._make_pipe()
        self._output = self._open_output()

    # The process.

    def ensure_started(self) -> None:
        """Start the process unless it runs. Raises `OSError`."""
        if self._pid is not None:
            return
        stdin, self._stdin = os.pipe2(os.O_CLOEXEC)
        self._control, control = os.pipe2(os.O_CLOEXEC)
        self._answer = b""
        self._has_children = False
        try:
            pid = self._launcher.start(self._argv(), {0: stdin, CONTROL_FD: control}, cwd=self._cwd)
        except OSError:
            os.close(self._stdin)
            os.close(self._control)
            raise
        finally:
            os.close(stdin)
            os.close(control)
        self._pid = pid
        os.set_blocking(self._control, False)
        self._loop.watch_child(pid, self._on_exit)
        self._loop.add_reader(self._control, self._on_control)

    def _on_control(self) -> None:
        try:
            data = os.read(self._control, 65536)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._control)
            return
        self._answer += data
        if self._answer.endswith(b"\0"):
            answer, self._answer = self._answer[:-1], b""
            self._take(answer)
        elif len(self._answer) > _LONGEST_ANSWER:
            self._give_up(_FORGED)

    def _take(self, answer: bytes) -> None:
        text, _, token = answer.rpartition(b" ")
        try:
            if self._call is None or token != self._token or b"\0" in text:
                raise ValueError("not the process's own answer")
            ending = self._ending(text)
        except (ValueError, KeyError, TypeError):
            self._give_up(_FORGED)
            return
        if ending.exit_code and not self._call.output_was_opened:
            self._give_up(_UNABLE)
        else:
            self._finish(ending)

    def _give_up(self, why: str) -> None:
        """Restart the process: its messages can no longer be trusted."""
        self._answer = b""
        self._given_up = True
        self._lost = f"the {self.title} was restarted, for {why}: {self.lost_words}"
        self._kill()

    def _on_exit(self, status: int) -> None:
        self._on_control()
        self._loop.remove_reader(self._control)
        os.close(self._control)
        os.close(self._stdin)
        self._pid = None
        self._dying = False
        if self._restarting:
            self._restarting = False
            self._next()
            return
        # What ended it was we ourselves: that says nothing of the command.
        ending = Ending() if self._given_up else Ending.of_status(status)
        self._given_up = False
        if self._call is None:
            self._lost = self._lost or self._exit_reason(ending, "after the last command")
            self._next()
            return
        lost = self._lost or self._exit_reason(ending, "under this command")
        self._lost = None
        self._finish(Ending(ending.exit_code, ending.signal, lost, ending.cwd))

    def _exit_reason(self, ending: Ending, when: str) -> str:
        how = (
            f"was ended by signal {ending.signal}"
            if ending.signal is not None
            else f"ended with exit code {ending.exit_code}"
        )
        return f"the {self.title} {how} {when} and was started again: {self.lost_words}"

    # Stopping.

    def _stop(self, step: int) -> None:
        """End the running command, step by step harder; the process itself comes last."""
        call = self._call
        if call is None or self._pid is None:
            return
        if step >= len(_STEPS):
            self._give_up("it did not let go")
            return
        self._interrupt()
        # A process whose parent died is no longer a descendant: those seen once are kept in mind.
        seen = self._stopping if step else set()
        self._stopping = seen | with_descendants(self._children() - self._before)
        for pid in self._stopping:
            signal_with_group(pid, _STEPS[step], spared=self._pid)
        self._loop.call_later(_STEP, lambda: self._stop(step + 1) if self._call is call else None)

    def _kill(self) -> None:
        if self._pid is None:
            return
        for pid in with_descendants(self._children()):
            signal_with_group(pid, signal.SIGKILL, spared=self._pid)
        with suppress(OSError):
            os.killpg(self._pid, signal.SIGKILL)

    def _children(self) -> set[int]:
        """Return the process's children that live now."""
        return set() if self._pid is None else children_of(self._pid)

    def _make_pipe(self) -> None:
        """Make the named pipe; an older one that somebody holds loses its name only."""
        with suppress(FileNotFoundError):
            os.unlink(self._output_path)
        os.mkfifo(self._output_path)
        os.chmod(self._output_path, 0o622)

    def _open_output(self) -> int:
        return os.open(self._output_path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
