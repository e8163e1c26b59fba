"""The parent of the workers: starts them, restarts what dies, replaces them one by one, stops them. Serves nothing.

It holds the listening socket for as long as the service lives, so that no connection is lost while workers come and
go. It is run by its path, as a script, and imports a little of the standard library alone: it has to stay small, and
what it does not import cannot break it.

Each worker is a fresh process: the command that is given, and after it the numbers of three inherited descriptors and
what the worker has to be. The descriptors are the listening socket; a pipe that ends when the parent does; and a pipe
on which the worker says `SERVING` once it takes connections. SIGTERM asks a worker to finish and end.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What the parent obeys: the first two stop all workers, the third replaces them. Whoever makes a process into the
parent blocks these first, so that none is lost."""

SERVING = b"serving\n"
KEEPER = "keeper"
"""Said to exactly one worker: it alone writes to the state folder."""
PATIENT = "patient"
"""Said to a worker while another one serves: it takes no connection before it holds a table."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a worker that died is started again: twice as long after each death, up to the second."""

STEADY_SECONDS = 30.0
"""Who has served for so long was well: its death counts as the first."""

START_SECONDS = 60.0
"""How long a worker may take until it serves. A table of a million projects takes 15 s from a far store."""

KILL_SECONDS = 2.0
"""How long after its time a worker may still end by itself. With the usual 6 s to finish, all ends within 10 s."""

GIVE_UP_SECONDS = 1.0
"""How long a killed worker is waited for: one that hangs in the kernel may not go away."""

_LEVELS = ("debug", "info", "warning", "error")

Say = Callable[..., None]
"""Takes a level, an event and fields."""


def pause_after(deaths: int) -> float:
    """Return the seconds to wait after so many deaths in a row."""
    return min(FIRST_PAUSE * 2.0 ** min(deaths - 1, 20), LONGEST_PAUSE)


class Worker:
    """A worker process, from its start until it is reaped."""

    def __init__(self, pid: int, number: int, notices: int) -> None:
        self.pid = pid
        self.number = number
        self.notices: int | None = notices
        """Where it says that it serves. None once it has, or has closed its end."""
        self.deadline: float | None = time.monotonic() + START_SECONDS
        """When it is killed."""
        self.serving_since: float | None = None
        self.retiring = False

    @property
    def serves(self) -> bool:
        """Whether it takes connections."""
        return self.serving_since is not None and not self.retiring

    def stop_listening(self) -> None:
        """Let go of the pipe."""
        if self.notices is not None:
            os.close(self.notices)
            self.notices = None


class Parent:
    """Keeps `count` workers running `command` on the inherited `listener`. A worker may take `grace` seconds to end."""

    def __init__(self, listener: int, count: int, grace: float, command: Sequence[str], say: Say) -> None:
        self._listener = listener
        self._count = count
        self._grace = grace
        self._command = command
        self._say = say
        self._workers: dict[int, Worker] = {}
        self._deaths = [0] * count
        self._due = [0.0] * count
        """When the worker of each number may be started."""
        self._stop_asked = self._replace_asked = False
        self._give_up: float | None = None
        """When to end whatever still runs; None before the end was asked for."""
        self._round: list[Worker] | None = None
        """Who is still to be replaced in this round; None between rounds."""
        self._successor: Worker | None = None
        self._life, self._held = os.pipe()
        os.set_inheritable(self._life, True)
        os.set_inheritable(listener, True)
        self._woken, self._wakes = os.pipe()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT has been obeyed."""
        self._obey_signals()
        while self._give_up is None or (self._workers and time.monotonic() < self._give_up):
            if self._stop_asked and self._give_up is None:
                self._stop()
            self._kill_overdue()
            if self._give_up is None:
                self._fill()
                self._replace()
            self._wait()
            self._reap()

    def _obey_signals(self) -> None:
        def stop(*_: object) -> None:
            self._stop_asked = True

        def replace(*_: object) -> None:
            self._replace_asked = True

        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGHUP, replace)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # to be woken by it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _start(self, number: int) -> Worker | None:
        """Start a worker, or count its death where the system has no room for it."""
        read, write = os.pipe()
        os.set_inheritable(write, True)
        roles = [KEEPER] if number == 0 else []
        if any(worker.serves for worker in self._workers.values()):
            roles.append(PATIENT)
        arguments = [*self._command, str(self._listener), str(self._life), str(write), *roles]
        try:
            # Ctrl-C and a terminal that hangs up reach the whole group, but are meant for the parent.
            pid = os.posix_spawn(arguments[0], arguments, os.environ, setsigmask=(signal.SIGINT, signal.SIGHUP))
        except OSError as error:
            os.close(read)
            self._mourn(number, "worker not started", reason=str(error.strerror))
            return None
        finally:
            os.close(write)
        worker = self._workers[pid] = Worker(pid, number, read)
        self._say("debug", "worker started", worker=number, pid=pid)
        return worker

    def _numbers(self) -> set[int]:
        """Return the numbers that have a worker which is to stay."""
        return {worker.number for worker in self._workers.values() if not worker.retiring}

    def _fill(self) -> None:
        """Start the workers that are lacking."""
        there, now = self._numbers(), time.monotonic()
        for number in range(self._count):
            if number not in there and now >= self._due[number]:
                self._start(number)

    def _reap(self) -> None:
        """Take note of who has ended. As process 1 of a container, also of what others have left behind."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:
                worker.stop_listening()
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, code: int) -> None:
        how = {"exit_code": code} if code >= 0 else {"signal": -code, "reason": signal.strsignal(-code)}
        if worker.retiring:
            self._say("info", "worker ended", worker=worker.number, pid=worker.pid, **how)
            return
        if worker is self._successor:
            self._successor = self._round = None
            self._say("error", "replacing broken off, the other workers stay", pid=worker.pid, **how)
            if worker.number in self._numbers():
                return
        if worker.serving_since is not None and time.monotonic() - worker.serving_since >= STEADY_SECONDS:
            self._deaths[worker.number] = 0
        self._mourn(worker.number, "worker died", pid=worker.pid, **how)

    def _mourn(self, number: int, event: str, **fields: object) -> None:
        """Count a death and say when the next worker may be started."""
        self._deaths[number] += 1
        pause = pause_after(self._deaths[number])
        self._due[number] = time.monotonic() + pause
        self._say("error", event, worker=number, **fields, in_a_row=self._deaths[number], next_in_seconds=pause)

    def _replace(self) -> None:
        """Go on with replacing the workers one by one: never more than one above their number, and none is stopped
        before its successor serves."""
        if self._successor is not None and self._successor.serves:
            self._succeed(self._successor)
        if self._successor is not None or any(worker.retiring for worker in self._workers.values()):
            return
        if self._round is None:
            if not self._replace_asked:
                return
            self._replace_asked = False
            self._round = sorted(self._workers.values(), key=lambda worker: worker.number)
            self._say("info", "replacing workers", workers=len(self._round))
        while self._round:
            old = self._round.pop(0)
            if old.pid in self._workers:
                self._successor = self._start(old.number)
                if self._successor is None:
                    self._round = None
                return
        self._round = None
        self._say("info", "workers replaced")
        self._replace()  # it may have been asked for again

    def _succeed(self, successor: Worker) -> None:
        for worker in self._workers.values():
            if worker.number == successor.number and worker is not successor:
                self._retire(worker)
        self._successor = None

    def _stop(self) -> None:
        """Ask all to end. The port is let go, so that who asks now goes elsewhere instead of waiting."""
        self._say("info", "stopping", workers=len(self._workers))
        os.close(self._listener)
        self._give_up = time.monotonic() + self._grace + KILL_SECONDS + GIVE_UP_SECONDS
        self._successor = None
        for worker in self._workers.values():
            self._retire(worker)

    def _retire(self, worker: Worker) -> None:
        if not worker.retiring:
            worker.retiring = True
            os.kill(worker.pid, signal.SIGTERM)
        worker.deadline = time.monotonic() + self._grace + KILL_SECONDS

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.deadline is not None and now >= worker.deadline:
                reason = "it did not end in time" if worker.retiring else "it did not serve in time"
                self._say("error", "worker killed", worker=worker.number, pid=worker.pid, reason=reason)
                os.kill(worker.pid, signal.SIGKILL)
                worker.deadline = now + GIVE_UP_SECONDS

    def _wait(self) -> None:
        """Wait for a signal, for a word of a worker, or until something is due."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        speakers = {worker.notices: worker for worker in self._workers.values() if worker.notices is not None}
        for notices in speakers:
            poll.register(notices, select.POLLIN)
        for descriptor, _ in poll.poll(self._milliseconds_until_due()):
            if descriptor in speakers:
                self._hear(speakers[descriptor])
            else:
                os.read(self._woken, 4096)

    def _hear(self, worker: Worker) -> None:
        assert worker.notices is not None
        if os.read(worker.notices, len(SERVING)) == SERVING and not worker.retiring:
            worker.serving_since, worker.deadline = time.monotonic(), None
            self._say("info", "worker serves", worker=worker.number, pid=worker.pid)
        worker.stop_listening()

    def _milliseconds_until_due(self) -> int | None:
        times = [worker.deadline for worker in self._workers.values() if worker.deadline is not None]
        if self._give_up is not None:
            times.append(self._give_up)
        else:
            there = self._numbers()
            times += [self._due[number] for number in range(self._count) if number not in there]
        # Rounded up, so that what is due is due when this wakes.
        return max(0, int((min(times) - time.monotonic()) * 1000) + 1) if times else None


def make_say(level: str) -> Say:
    """Return what writes lines to standard error from `level` up, in the form of all other logs of the service."""
    on_terminal = sys.stderr.isatty()

    def say(of: str, event: str, **fields: object) -> None:
        if _LEVELS.index(of) < _LEVELS.index(level):
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        if on_terminal:
            words = " ".join(f"{key}={value}" for key, value in fields.items())
            line = f"{stamp} [{of:<9}] {event:<30} {words}"
        else:
            line = json.dumps({**fields, "event": event, "level": of, "timestamp": stamp})
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except OSError:  # a terminal that is gone must not end the service
            return

    return say


def main(arguments: Sequence[str]) -> None:
    """Be the parent: of the descriptor of the socket, how many workers, their seconds to end, the log level, and the
    command of a worker."""
    listener, count, grace, level, *command = arguments
    Parent(int(listener), int(count), float(grace), command, make_say(level)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
