"""How servers are, in a mark and in words: the same on every page, by the rule of alerts."""

from collections.abc import Iterable
from dataclasses import dataclass

from mailmum.control.accounts.access import Reading
from mailmum.control.alerts.comparing import manner_of
from mailmum.control.monitor.silence import Pulse, State, pulses
from mailmum.control.traffic.reading import tolerant
from mailmum.domain.words import span
from mailmum.web.words import ago, coarse


@dataclass(frozen=True, slots=True)
class ServerState:
    """A mark (class of `.st`), the state in a word or two, and when anything came last."""

    mark: str
    name: str
    words: str


UNKNOWN = ServerState("off", "Not known", "not known just now")
_NEW = ServerState("off", "No lookup yet", "no lookup yet")
_LOOKS = {
    State.WORKS: ("", "Works"),
    State.RARE: ("off", "Quiet"),
    State.SILENT: ("late", "Silent"),
}


def states_of(access: Reading, servers: Iterable[int], now: float) -> dict[int, ServerState]:
    """The states of some servers of the account, by number."""
    numbers = list(servers)
    quiet = patience(access)
    found = tolerant(lambda: pulses(access, numbers, quiet=quiet, now=now), None)
    if found is None:
        return dict.fromkeys(numbers, UNKNOWN)
    # One that somebody removes just now has none any more.
    return {
        number: state_of(found[number], now) if number in found else UNKNOWN for number in numbers
    }


def patience(access: Reading) -> int:
    """Seconds for which any server of the account may be silent, as it has been set for alerts."""
    return manner_of(access.account).silent_after


def usually(seconds: float) -> str:
    """How often there is something, from the seconds between two.

    >>> usually(20.4), usually(0.3)
    ('one every 20 s', 'some a second')
    """
    return f"one every {span(coarse(seconds))}" if seconds >= 1 else "some a second"


def state_of(pulse: Pulse, now: float) -> ServerState:
    """What is shown of it."""
    if pulse.last is None:
        return _NEW
    mark, name = _LOOKS[pulse.state]
    words = f"{'asked' if pulse.asked else 'seen'} {ago(max(now - pulse.last, 0.0))}"
    if pulse.usual is not None:
        words = f"silent: {words}, usually {usually(pulse.usual)}"
    return ServerState(mark, name, words)
