"""The parent of the processes of `serve`: starts them, restarts what dies, replaces them, stops them. Serves nothing.

It holds the listening sockets for as long as the service lives, so that no connection is lost while processes come
and go. It is run by its path, as a script, and imports a little of the standard library alone: it has to stay small,
and what it does not import cannot break it.

It fills a list of posts, each with a role: any number of workers, which answer legacy URLs, and one control, which
answers those who look after the service. Each is a fresh process: the command that is given, and after it

- the listening sockets, each as ``name=descriptor``, separated by commas; it inherits those of its role alone;
- the descriptor of a pipe that ends when the parent does;
- the descriptor of a pipe on which the process says `SERVING` once it takes connections;
- its seat: the lowest number that no other living process has;
- its role, and what else it is.

SIGTERM asks a process to finish and end. Files in the run folder are named after seats, as in ``counter_0.db``; those
with `LIVE` in their names are true only of a living process.
"""

import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What the parent obeys: the first two stop all processes, the third replaces them. Whoever makes a process into the
parent blocks these first, so that none is lost."""

WORKER, CONTROL = "worker", "control"
"""The roles. They are also what a process is called in the log."""

SOCKETS = {WORKER: ("edge",), CONTROL: ("ops", "admin")}
"""The listening sockets of each role. Who held those of others would keep their ports open after they have ended."""

SERVING = b"serving\n"
KEEPER = "keeper"
"""Said to exactly one worker: it alone writes to the state folder."""
PATIENT = "patient"
"""Said to a worker while another one serves: it takes no connection before it holds a table."""

LIVE = "live"

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
"""Seconds before a process that died is started again: twice as long after each death, up to the second."""

STEADY_SECONDS = 30.0
"""Who has served for so long was well: its death counts as the first."""

START_SECONDS = 60.0
"""How long a process may take until it serves. A table of a million projects takes 15 s from a far store."""

KILL_SECONDS = 2.0
"""How long after its time a process may still end by itself. With the usual 6 s to finish, all ends within 10 s."""

GIVE_UP_SECONDS = 1.0
"""How long a killed process is waited for: one that hangs in the kernel may not go away."""

_LEVELS = ("debug", "info", "warning", "error")

Say = Callable[..., None]
"""Takes a level, an event and fields."""


def pause_after(deaths: int) -> float:
    """Return the seconds to wait after so many deaths in a row."""
    return min(FIRST_PAUSE * 2.0 ** min(deaths - 1, 20), LONGEST_PAUSE)


class Child:
    """A process at one of the posts, from its start until it is reaped. `number` is that of its post."""

    def __init__(self, pid: int, number: int, seat: int, notices: int) -> None:
        self.pid = pid
        self.number = number
        self.seat = seat
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


class Service:
    """What is kept running: `command`, once for each role in `posts`, on `listeners`, which are descriptors by name.
    A process may take `grace` seconds to end. `folder` is the run folder."""

    def __init__(
        self, listeners: dict[str, int], posts: Sequence[str], command: Sequence[str], grace: float, folder: str
    ) -> None:
        self.listeners = listeners
        self.posts = posts
        self.command = command
        self.grace = grace
        self.folder = folder


class Parent:
    """Keeps a process at each post of `service`."""

    def __init__(self, service: Service, say: Say) -> None:
        self._service = service
        self._say = say
        self._children: dict[int, Child] = {}
        self._deaths = [0] * len(service.posts)
        self._due = [0.0] * len(service.posts)
        """When the process at each post may be started."""
        self._stop_asked = self._replace_asked = False
        self._give_up: float | None = None
        """When to end whatever still runs; None before the end was asked for."""
        self._round: list[Child] | None = None
        """Who is still to be replaced in this round; None between rounds."""
        self._successor: Child | None = None
        self._life, self._held = os.pipe()
        for descriptor in (self._life, *service.listeners.values()):
            os.set_inheritable(descriptor, True)
        self._woken, self._wakes = os.pipe()

    def run(self) -> None:
        """Work until SIGTERM or SIGINT has been obeyed."""
        self._obey_signals()
        while self._give_up is None or (self._children and time.monotonic() < self._give_up):
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

    def _start(self, number: int) -> Child | None:
        """Start a process, or count its death where the system has no room for it."""
        read, write = os.pipe()
        os.set_inheritable(write, True)
        seat = self._free_seat()
        listeners = ",".join(f"{name}={descriptor}" for name, descriptor in self._service.listeners.items())
        role = self._service.posts[number]
        given = (listeners, self._life, write, seat, role, *self._duties(number))
        arguments = [*self._service.command, *map(str, given)]
        others = [each for name, each in self._service.listeners.items() if name not in SOCKETS[role]]
        closing = [(os.POSIX_SPAWN_CLOSE, each) for each in others]
        try:
            # Ctrl-C and a terminal that hangs up reach the whole group, but are meant for the parent.
            mask = (signal.SIGINT, signal.SIGHUP)
            pid = os.posix_spawn(arguments[0], arguments, os.environ, file_actions=closing, setsigmask=mask)
        except OSError as error:
            os.close(read)
            self._mourn(number, "not started", reason=str(error.strerror))
            return None
        finally:
            os.close(write)
        child = self._children[pid] = Child(pid, number, seat, read)
        self._tell("debug", child, "started")
        return child

    def _free_seat(self) -> int:
        """Return the lowest free seat: so there are only as many as processes that ever lived at the same time."""
        taken = {child.seat for child in self._children.values()}
        return next(seat for seat in range(len(taken) + 1) if seat not in taken)

    def _duties(self, number: int) -> list[str]:
        posts = self._service.posts
        if posts[number] != WORKER:
            return []
        another = any(child.serves and posts[child.number] == WORKER for child in self._children.values())
        return [KEEPER] * (number == posts.index(WORKER)) + [PATIENT] * another

    def _numbers(self) -> set[int]:
        """Return the numbers of the posts whose process is to stay."""
        return {child.number for child in self._children.values() if not child.retiring}

    def _fill(self) -> None:
        """Start the processes that are lacking."""
        there, now = self._numbers(), time.monotonic()
        for number, due in enumerate(self._due):
            if number not in there and now >= due:
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
            child = self._children.pop(pid, None)
            if child is not None:
                child.stop_listening()
                clear_seat(self._service.folder, child.seat)
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        how = {"exit_code": code} if code >= 0 else {"signal": -code, "reason": signal.strsignal(-code)}
        if child.retiring:
            self._tell("info", child, "ended", **how)
            return
        if child is self._successor:
            self._successor = self._round = None
            self._say("error", "replacing broken off, the other processes stay", pid=child.pid, **how)
            if child.number in self._numbers():
                return
        if child.serving_since is not None and time.monotonic() - child.serving_since >= STEADY_SECONDS:
            self._deaths[child.number] = 0
        self._mourn(child.number, "died", pid=child.pid, **how)

    def _mourn(self, number: int, what: str, **fields: object) -> None:
        """Count a death and say when the next process may be started."""
        self._deaths[number] += 1
        pause = pause_after(self._deaths[number])
        self._due[number] = time.monotonic() + pause
        role = self._service.posts[number]
        where = {role: number, **fields}
        self._say("error", f"{role} {what}", **where, in_a_row=self._deaths[number], next_in_seconds=pause)

    def _tell(self, level: str, child: Child, what: str, **fields: object) -> None:
        role = self._service.posts[child.number]
        where = {role: child.number, "pid": child.pid}
        self._say(level, f"{role} {what}", **where, **fields)

    def _replace(self) -> None:
        """Go on with replacing the processes one by one: never more than one above their number, and none is stopped
        before its successor serves."""
        if self._successor is not None and self._successor.serves:
            self._succeed(self._successor)
        if self._successor is not None or any(child.retiring for child in self._children.values()):
            return
        if self._round is None:
            if not self._replace_asked:
                return
            self._replace_asked = False
            self._round = sorted(self._children.values(), key=lambda child: child.number)
            self._say("info", "replacing processes", processes=len(self._round))
        while self._round:
            old = self._round.pop(0)
            if old.pid in self._children:
                self._successor = self._start(old.number)
                if self._successor is None:
                    self._round = None
                return
        self._round = None
        self._say("info", "processes replaced")
        self._replace()  # it may have been asked for again

    def _succeed(self, successor: Child) -> None:
        for child in self._children.values():
            if child.number == successor.number and child is not successor:
                self._retire(child)
        self._successor = None

    def _stop(self) -> None:
        """Ask all to end. The ports are let go, so that who asks now goes elsewhere instead of waiting."""
        self._say("info", "stopping", processes=len(self._children))
        for descriptor in self._service.listeners.values():
            os.close(descriptor)
        self._give_up = time.monotonic() + self._service.grace + KILL_SECONDS + GIVE_UP_SECONDS
        self._successor = None
        for child in self._children.values():
            self._retire(child)

    def _retire(self, child: Child) -> None:
        if not child.retiring:
            child.retiring = True
            os.kill(child.pid, signal.SIGTERM)
        child.deadline = time.monotonic() + self._service.grace + KILL_SECONDS

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if child.deadline is not None and now >= child.deadline:
                reason = "it did not end in time" if child.retiring else "it did not serve in time"
                self._tell("error", child, "killed", reason=reason)
                os.kill(child.pid, signal.SIGKILL)
                child.deadline = now + GIVE_UP_SECONDS

    def _wait(self) -> None:
        """Wait for a signal, for a word of a process, or until something is due."""
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        speakers = {child.notices: child for child in self._children.values() if child.notices is not None}
        for notices in speakers:
            poll.register(notices, select.POLLIN)
        for descriptor, _ in poll.poll(self._milliseconds_until_due()):
            if descriptor in speakers:
                self._hear(speakers[descriptor])
            else:
                os.read(self._woken, 4096)

    def _hear(self, child: Child) -> None:
        assert child.notices is not None
        if os.read(child.notices, len(SERVING)) == SERVING and not child.retiring:
            child.serving_since, child.deadline = time.monotonic(), None
            self._tell("info", child, "serves")
        child.stop_listening()

    def _milliseconds_until_due(self) -> int | None:
        times = [child.deadline for child in self._children.values() if child.deadline is not None]
        if self._give_up is not None:
            times.append(self._give_up)
        else:
            there = self._numbers()
            times += [due for number, due in enumerate(self._due) if number not in there]
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


def clear_seat(folder: str, seat: int) -> None:
    """Remove from the run folder what was true of the process in `seat` only while it lived. What it has counted
    stays, and whoever takes the seat next counts on from there."""
    for name in _names(folder):
        stem = name.partition(".")[0]
        if LIVE in stem and stem.endswith(f"_{seat}"):
            _try(os.unlink, f"{folder}/{name}")


def remove_folder(folder: str) -> None:
    """Remove the run folder and what is in it."""
    for name in _names(folder):
        _try(os.unlink, f"{folder}/{name}")
    _try(os.rmdir, folder)


def _names(folder: str) -> Sequence[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return ()


def _try(remove: Callable[[str], None], path: str) -> None:
    try:
        remove(path)
    except OSError:  # somebody else was first, or still writes there: neither may keep the service from its work
        return


def main(arguments: Sequence[str]) -> None:
    """Be the parent: of the listening sockets, as processes are told of them; the roles of the posts, separated by
    commas; the seconds that a process has to end; the run folder; the log level; and the command of a process."""
    named, posts, grace, folder, level, *command = arguments
    listeners = {name: int(descriptor) for name, descriptor in (each.split("=") for each in named.split(","))}
    try:
        Parent(Service(listeners, posts.split(","), command, float(grace), folder), make_say(level)).run()
    finally:
        remove_folder(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
