"""The supervisor of `mailmum up`: keeps the parts running and ends them together.

    supervise([Part("dns", (sys.executable, "-m", "mailmum", "dns"))], on_ready=say_ready)

What to do and when is decided by `supervisor_plan`; this file does it: processes, signals, output.
One thread, one selector.  Signals arrive through a wakeup descriptor, children's output through
pipes that `supervisor_output.Relay` passes on to standard error, readiness through
`supervisor_ready`.  A `supervisor_guard` ends the children should this process be killed.  What can
starts as a fork the first time (`supervisor_fork`), since most of it is loaded here already, and a
part whose silence is felt has a spare, made at the same time, that takes its place at once.
"""

import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

import structlog
from structlog.typing import FilteringBoundLogger

from mailmum.daemons.supervisor_child import Child, Guard, Part
from mailmum.daemons.supervisor_output import Relay
from mailmum.daemons.supervisor_plan import Act, Ended, GiveUp, Order, Plan, Restart, Timings
from mailmum.domain.errors import Refusal

__all__ = ["Part", "PartFailed", "Timings", "supervise"]

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PROBE_EVERY = 0.1
# An upper bound on sleeping: a guard or a child whose end was missed is noticed all the same.
_LONGEST_SLEEP = 5.0

log: FilteringBoundLogger = structlog.get_logger()


class PartFailed(Refusal):
    """A part does not start, and trying again will not help; the text is the part's own."""

    code = "unavailable"

    def __init__(self, failure: GiveUp) -> None:
        self.part = failure.part
        words = failure.ended.last_line.removeprefix("mailmum: ")
        problem, _, fix = words.rpartition("; ")
        why = problem or fix or f"{failure.ended.reason} on each of {failure.starts} starts"
        super().__init__(f"{failure.part} does not start: {why}", fix=fix if problem else "")


def supervise(
    parts: Sequence[Part],
    *,
    on_ready: Callable[[], None],
    timings: Timings | None = None,
    output: int | None = None,
) -> None:
    """Run the parts until SIGTERM, SIGINT or SIGHUP; call it from the main thread.

    A second SIGINT ends everything at once.  SIGHUP that is ignored already (nohup) stays ignored.

    Args:
        parts: started together; names differ.
        on_ready: called once, when every part answers.
        timings: how patient to be.
        output: descriptor that the children's output is passed on to; standard error by default.

    Raises:
        PartFailed: a part ended with a failing status again and again before it ever answered; all
            other parts have been stopped.
    """
    relay = Relay(sys.stderr.fileno() if output is None else output)
    with _signals() as wakeup:
        supervisor = _Supervisor(parts, on_ready, timings or Timings(), relay, wakeup)
        try:
            supervisor.run()
        finally:
            supervisor.close()
            relay.close()
    if supervisor.plan.failure:
        raise PartFailed(supervisor.plan.failure)


class _Supervisor:
    def __init__(
        self,
        parts: Sequence[Part],
        on_ready: Callable[[], None],
        timings: Timings,
        relay: Relay,
        wakeup: tuple[socket.socket, socket.socket],
    ) -> None:
        self._parts = {part.name: part for part in parts}
        self._on_ready = on_ready
        self._relay = relay
        self._wakeup = wakeup
        self._children: dict[str, Child] = {}
        self._spares: dict[str, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakeup[0], selectors.EVENT_READ, self._read_signals)
        self.plan = Plan(self._parts, timings)
        self._guard = Guard(timings.patience)

    def run(self) -> None:
        while True:
            for order in self.plan.due(time.monotonic()):
                self._obey(order)
            if not self._relay.started:
                self._put_by()
            # With its thread no other start can be a fork.
            self._relay.start()
            if self.plan.finished:
                return
            for key, _ in self._selector.select(self._sleep()):
                key.data()
            self._probe()
            self._bury_dead()
            self._renew_guard()

    def close(self) -> None:
        # Children are alive here only when an exception is on its way out.
        for child in (*self._children.values(), *self._spares.values()):
            child.bury()
        self._guard.close()
        self._selector.close()

    def _sleep(self) -> float:
        asking = any(self._parts[name].ready for name in self.plan.awaiting())
        longest = _PROBE_EVERY if asking else _LONGEST_SLEEP
        return max(0.0, min(self.plan.wake_at() - time.monotonic(), longest))

    def _obey(self, order: Order) -> None:
        if order.act is Act.START:
            self._start(self._parts[order.part])
        elif order.act is Act.ANNOUNCE:
            self._on_ready()
        elif order.act is Act.REMIND:
            log.warning("part does not answer yet", part=order.part)
        elif order.act is Act.TERMINATE:
            self._children[order.part].terminate()
        elif order.act is Act.KILL:
            log.warning("part does not stop, killing it", part=order.part)
            self._children[order.part].kill()

    def _start(self, part: Part) -> None:
        try:
            child = self._take_spare(part) or Child(
                part, self._guard, None if self._relay.started else self._let_go
            )
        except OSError as error:
            # 126 is what a shell answers for a command that cannot be run.
            self._ended(part.name, Ended(126, None, f"cannot run {part.argv[0]}: {error.strerror}"))
            return
        self._children[part.name] = child
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._read(child))
        if child.inbox:
            self._selector.register(child.inbox, selectors.EVENT_READ, lambda: self._hear(child))
        log.info("part started", part=part.name, pid=child.pid)

    def _put_by(self) -> None:
        """Make the spares, once all parts have been started."""
        for part in self._parts.values():
            if part.spare and part.run is not None:
                # Without one a part starts again as any other.
                with suppress(OSError):
                    spare = Child(part, self._guard, self._let_go, held=True)
                    self._spares[part.name] = spare

    def _take_spare(self, part: Part) -> Child | None:
        """The spare of a part, which begins now; None where there is none, or it has ended."""
        self._bury_spares()
        spare = self._spares.pop(part.name, None)
        if spare is not None:
            spare.let_begin()
        return spare

    def _bury_spares(self) -> None:
        """Those that have ended; there is none in their place, since nothing may fork any more."""
        for name, spare in list(self._spares.items()):
            if spare.has_ended():
                del self._spares[name]
                ended, _ = spare.bury()
                self._guard.strike_off(spare.pid)
                log.warning("the spare of a part ended", part=name, reason=ended.reason)

    def _let_go(self) -> None:
        """Close in a fork what is the supervisor's: the objects, or they would do so later."""
        for child in (*self._children.values(), *self._spares.values()):
            child.close()
        self._guard.let_go()
        self._selector.close()
        for end in self._wakeup:
            end.close()

    def _read(self, child: Child) -> None:
        lines = child.read()
        if lines is None:
            # It has closed its output; a closed pipe would wake the selector for ever.
            self._selector.unregister(child.output)
            return
        self._relay.pass_on(lines)

    def _hear(self, child: Child) -> None:
        if child.inbox and child.inbox.told_ready():
            self._answered(child.part.name)

    def _probe(self) -> None:
        for name in self.plan.awaiting():
            ready = self._parts[name].ready
            if ready is not None and name in self._children and ready():
                self._answered(name)

    def _answered(self, name: str) -> None:
        if name in self.plan.awaiting():
            log.info("part answers", part=name)
        self.plan.answered(name, time.monotonic())

    def _bury_dead(self) -> None:
        for name, child in list(self._children.items()):
            if child.has_ended():
                self._forget(child)
                ended, lines = child.bury()
                self._relay.pass_on(lines)
                self._guard.strike_off(child.pid)
                self._ended(name, ended)
        self._bury_spares()

    def _forget(self, child: Child) -> None:
        del self._children[child.part.name]
        for source in (child.output, child.inbox):
            if source is not None and source.fileno() in self._selector.get_map():
                self._selector.unregister(source)

    def _ended(self, name: str, ended: Ended) -> None:
        consequence = self.plan.exited(name, ended, time.monotonic())
        fields = {"part": name, "reason": ended.reason, "last_line": ended.last_line}
        if isinstance(consequence, Restart):
            log.warning("part ended, starting it again", **fields, restart_in=consequence.delay)
        elif isinstance(consequence, GiveUp):
            log.error("part does not start, giving up", **fields, starts=consequence.starts)
        else:
            log.info("part stopped", part=name, reason=ended.reason)

    def _renew_guard(self) -> None:
        try:
            living = (*self._children.values(), *self._spares.values())
            if self._guard.renew(child.pid for child in living):
                log.warning("the guard process had ended, started it again")
        except OSError as error:
            log.error("the guard process cannot be started", reason=str(error))

    def _read_signals(self) -> None:
        try:
            numbers = self._wakeup[0].recv(256)
        except BlockingIOError:
            return
        for number in numbers:
            if number in _STOP_SIGNALS:
                again = self.plan.stopping and number == signal.SIGINT
                log.info("stopping", reason=signal.Signals(number).name, at_once=again)
                self.plan.stop(time.monotonic(), at_once=again)


@contextmanager
def _signals() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Signals as bytes on the first of two sockets; the former handlers come back at the end."""
    theirs, ours = socket.socketpair()
    theirs.setblocking(False)
    ours.setblocking(False)
    caught = [n for n in _STOP_SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
    former = {number: signal.signal(number, _ignore) for number in (*caught, signal.SIGCHLD)}
    former_wakeup = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    try:
        yield ours, theirs
    finally:
        signal.set_wakeup_fd(former_wakeup)
        for number, handler in former.items():
            signal.signal(number, handler or signal.SIG_DFL)
        theirs.close()
        ours.close()


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: the byte on the wakeup descriptor is what counts."""
