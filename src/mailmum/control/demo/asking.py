"""A part of the demo: asks the running DNS server as its four mail servers would.

First a few hundred lookups, so that there is something to see, then some each second: the same in
the same order at each start.  What comes back is read and forgotten.
"""

import random
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing

from django.db import DatabaseError

from mailmum.control import config, prepare
from mailmum.control.config import Config
from mailmum.daemons.ending import end_process, stop_signals

FIRST = 400
PAUSE = 0.4
SEED = 5
_LISTS = ("wl", "bl")


def main() -> None:
    """Ask until told to stop."""
    parameters = config.current()
    prepare.set_up_django()
    from mailmum.daemons.supervisor_ready import tell_ready

    with stop_signals() as told:
        tell_ready()
        run(parameters, told)
    end_process()


def run(parameters: Config, told: Callable[[float], bool]) -> None:
    """The lookups, in their order, until told to stop."""
    keys = _keys()
    # The daemon may not have heard of the servers yet; it will within a second.
    pause = 1.0
    for number, name in enumerate(names(keys, parameters.zone)):
        if told(pause):
            return
        _ask(parameters, name, number)
        pause = 0.002 if number < FIRST else PAUSE


def names(keys: list[str], zone: str) -> Iterator[str]:
    """What is asked, for ever: for each client its address in both lists, as smtpd does."""
    chance = random.Random(SEED)  # noqa: S311 (a story, no secret)
    while keys:
        key, client = chance.choice(keys), _client(chance)
        for word in _LISTS:
            yield f"{'.'.join(reversed(client.split('.')))}.{key}.{word}.{zone}"


def query(name: str, number: int) -> bytes:
    """A question for an A record, as bytes."""
    labels = b"".join(bytes((len(part),)) + part.encode() for part in name.split("."))
    head = struct.pack(">HHHHHH", number & 0xFFFF, 0x0100, 1, 0, 0, 0)
    return head + labels + b"\0" + struct.pack(">HH", 1, 1)


def _client(chance: random.Random) -> str:
    kind = chance.random()
    if kind < 0.35:
        return f"203.0.113.{min(int(chance.paretovariate(0.9)), 126)}"
    if kind < 0.5:
        return f"198.51.100.{chance.choice((25, *range(64, 96)))}"
    return f"192.0.2.{chance.choice((10, 11, 40, 41, 80))}"


def _keys() -> list[str]:
    from mailmum.control.servers.models import Key

    try:
        found = Key.objects.filter(until=None, server__removed=None).order_by("server_id")
        return list(found.values_list("label", flat=True))
    except DatabaseError:
        return []


def _ask(parameters: Config, name: str, number: int) -> None:
    endpoint = parameters.dns_endpoints[0]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(endpoint.host, endpoint.host)  # noqa: S104
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with closing(socket.socket(family, socket.SOCK_DGRAM)) as out:
            out.settimeout(1.0)
            out.sendto(query(name, number), (host, endpoint.port))
            out.recv(512)
    except OSError:
        # The DNS part is being started again; the next lookup will do.
        return


if __name__ == "__main__":
    main()
