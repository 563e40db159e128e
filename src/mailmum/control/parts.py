"""The parts that `mailmum up` keeps running: each is a command of its own."""

import sys

from mailmum.control.config import Config
from mailmum.daemons.supervisor import Part

NAMES = ("web", "dns", "policy", "worker")


def parts(parameters: Config) -> list[Part]:
    """The parts, as commands of this very installation.

    The options of the command line reach them through the environment (`config.use`).
    """
    return [
        Part(
            name,
            (sys.executable, "-m", "mailmum", name, "--data", str(parameters.data)),
        )
        for name in NAMES
    ]
