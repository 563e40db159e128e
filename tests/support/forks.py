"""Parts of the service as forks of one process that has loaded everything: for killing them often.

    with forks(make_service(tmp_path)) as service:
        pid = service.start("collect")
        service.kill(pid)

A part that is started as a command takes a second or two, a fork some milliseconds.  Run as a
program this module is that one process: it reads orders from its standard input, one JSON a line,
and answers each with one.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailmum.traffic.sightings import Sighting
from tests.support.service import Service

Row = list[Any]
ROOT = Path(__file__).parents[2]


class Forks:
    """The process that forks, seen from the test."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._running: set[int] = set()

    def start(self, part: str, *words: str, **environment: str) -> int:
        """Fork a part; its process number."""
        pid = int(self._ask(run=part, words=words, environment=environment))
        self._running.add(pid)
        return pid

    def kill(self, pid: int, number: int = signal.SIGKILL) -> int:
        """Kill it and wait for its end; how it ended."""
        self._running.discard(pid)
        return int(self._ask(kill=pid, number=int(number)))

    def rows(self) -> list[Row]:
        """All sightings that are kept, each as `told` has it."""
        found: list[Row] = self._ask(rows=True)
        return found

    def add_server(self, name: str) -> str:
        """Add a server to the first account; a token that hands in its logs."""
        return str(self._ask(server=name))

    def close(self) -> None:
        """End all of it."""
        for pid in list(self._running):
            self.kill(pid)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, **order: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], 60)
        assert ready, "no answer from the process that forks"
        return json.loads(self._process.stdout.readline())


@contextlib.contextmanager
def forks(service: Service, folder: Path) -> Iterator[Forks]:
    """A process that forks for a service whose database has been made."""
    log = folder / "forks.log"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "tests.support.forks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=service.environment | {"DJANGO_SETTINGS_MODULE": "mailmum.control.settings"},
            cwd=ROOT,
        )
    made = Forks(process)
    try:
        yield made
    except BaseException as error:
        error.add_note(log.read_text(errors="replace")[-8000:])
        raise
    finally:
        made.close()


def _serve() -> None:
    """Read orders and answer them, until there are no more."""
    import django

    django.setup()
    # Whatever the parts import, they find imported.
    import mailmum.cli.ship
    import mailmum.control.dataplane.collect
    import mailmum.control.serving
    import mailmum.web.asgi
    import mailmum.web.urls  # noqa: F401

    for line in sys.stdin.buffer:
        order = json.loads(line)
        if "run" in order:
            answer: Any = _fork(order)
        elif "kill" in order:
            with contextlib.suppress(ProcessLookupError):
                os.kill(order["kill"], order["number"])
            answer = os.waitpid(order["kill"], 0)[1]
        elif "server" in order:
            answer = _add_server(order["server"])
        else:
            answer = _rows()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.environ.update(order["environment"])
        _run(order["run"], order["words"])
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        if status:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(status)


def _run(part: str, words: list[str]) -> None:
    from mailmum.control import config, logs

    config.current.cache_clear()
    parameters = config.current()
    logs.set_up(parameters, part)
    if part == "collect":
        from mailmum.control.dataplane.collect import follow

        follow(parameters)
    elif part == "web":
        from mailmum.control.serving import serve

        serve(parameters)
    else:
        from mailmum.cli.main import cli

        cli([part, *words], standalone_mode=False)


def _rows() -> list[Row]:
    from django.db import connections

    from mailmum.control.traffic.models import Seen
    from mailmum.control.traffic.values import to_kept

    found = [told(one.sighting) for one in to_kept(list(Seen.objects.order_by("id")))]
    # A connection that a fork inherits would be used by both.
    connections.close_all()
    return found


def _add_server(name: str) -> str:
    from django.db import connections

    from mailmum.control.accounts.access import access, writing
    from mailmum.control.accounts.models import User
    from mailmum.control.servers.services import add_server, add_shipping_token

    owner = User.objects.order_by("pk").first()
    assert owner is not None
    granted = writing(access(owner, None, via="test"))
    add_server(granted, name)
    secret = add_shipping_token(granted, name, "test").secret
    connections.close_all()
    return secret


def told(one: Sighting) -> Row:
    """What tells a sighting from others, as JSON has it."""
    who = [one.client, one.sender, one.recipient, one.queue_id]
    return [round(one.time * 1000), one.outcome.value, *who, one.delivery and one.delivery.value]


def wait_until(condition: Any, seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


if __name__ == "__main__":
    _serve()
