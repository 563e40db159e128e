"""A small program for the supervisor's tests: runs the parts that its argument describes.

The argument is JSON: {"parts": [{"name", "code", "probe": file or null, "fork": code or null,
"spare": bool}],
"timings": {...}}.  Each part is a Python program, and first `fork` where that is given.  Standard
output gets `ready`; standard error the log as JSON.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from mailmum.daemons.supervisor import Part, PartFailed, Timings, supervise

PYTHON = (sys.executable, "-S", "-c")


def part(described: dict[str, Any]) -> Part:
    """One part from its description."""
    probe = described.get("probe")
    argv = tuple(described.get("argv") or (*PYTHON, described["code"]))
    return Part(
        described["name"],
        argv,
        env={"PYTHONPATH": ":".join(sys.path)},
        ready=Path(probe).exists if probe else None,
        run=partial(exec, described["fork"], {}) if "fork" in described else None,
        spare=described.get("spare", False),
    )


def say_ready() -> None:
    """What `mailmum up` ends its start with."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> int:
    """Supervise, and answer as `mailmum up` does."""
    # As a script that started it may have left it one, of a lock, say.
    os.set_inheritable(os.dup(0), True)
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )
    wanted = json.loads(sys.argv[1])
    try:
        supervise(
            [part(described) for described in wanted["parts"]],
            on_ready=say_ready,
            timings=Timings(**wanted["timings"]),
        )
    except PartFailed as failure:
        sys.stderr.write(f"mailmum: {failure}\n")
        return 1
    sys.stdout.write("done\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
