"""The parts that `mailmum up` keeps running: each is a command of its own."""

import sys

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
        )
        for name in wanted(parameters)
    ]
    if is_demo(parameters.data):
        found.append(Part("demo", (sys.executable, "-m", "mailmum.control.demo.asking")))
    return found
