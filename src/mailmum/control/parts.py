"""The parts that `mailmum up` keeps running: each is a command of its own.

The first time they start as forks of `mailmum up`, which is as good but for what has been loaded
by then.
"""

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from mailmum.control import logs
from mailmum.control.config import Config
from mailmum.control.demo import is_demo
from mailmum.daemons.supervisor import Part

NAMES = ("web", "dns", "policy", "worker", "collect")
"""All parts that there are; each has a unit of its own."""


def wanted(parameters: Config) -> list[str]:
    """The parts that have something to do."""
    return [name for name in NAMES if name != "collect" or parameters.logs]


def parts(parameters: Config) -> list[Part]:
    """The parts, as commands of this very installation.

    The options of the command line reach them through the environment (`config.use`).
    """
    found = [
        Part(
            name,
            (sys.executable, "-m", "mailmum", name, "--data", str(parameters.data)),
            run=partial(_begin, name, parameters),
            # While it is away every mail server waits for its resolver at each connection.
            spare=name == "dns",
        )
        for name in wanted(parameters)
    ]
    if is_demo(parameters.data):
        found.append(Part("demo", (sys.executable, "-m", "mailmum.control.demo.asking")))
    return found


def run(name: str, parameters: Config) -> None:
    """Do what a part does, until told to stop.

    Raises:
        Refusal: it cannot start.
    """
    _be_named(name)
    if name == "web":
        from mailmum.control.serving import serve

        serve(parameters)
    elif name == "dns":
        from mailmum.control.dataplane import dns

        dns.answer(parameters)
    elif name == "policy":
        from mailmum.control.dataplane import policy

        policy.answer(parameters)
    elif name == "collect":
        from mailmum.control.dataplane.collect import follow

        follow(parameters)
    else:
        from mailmum.control import worker

        worker.run()


def _be_named(name: str) -> None:
    """Be `mailmum-dns` in lists of processes: as a fork it has the arguments of `mailmum up`."""
    # Where the system does not know names it goes by its arguments.
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"mailmum-{name}")


def _begin(name: str, parameters: Config) -> None:
    logs.set_up(parameters, name)
    run(name, parameters)
