"""`python -m mailmum.control.triggers.helper`: does one share of a backtest for another process.

It is told by which names the databases go and what to do through standard input, which stays open
for as long as anybody waits for the outcome, and answers with progress and what it has found on
standard output.  Both are pickles: each end is the same program, of the same user.
"""

import gc
import os
import pickle
import sys
import threading
from typing import TYPE_CHECKING, BinaryIO

from django.db import connections

from mailmum.control.prepare import set_up_django

if TYPE_CHECKING:
    from mailmum.control.triggers.share import Task

_NICE = 5
"""Mail servers that ask come first."""


def main() -> None:
    """Do what is asked for, and end."""
    os.nice(_NICE)
    # It ends soon: to look for garbage would cost it more than the little that there is.
    gc.disable()
    set_up_django()
    names, task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from whoever has started us
    threading.Thread(target=_end_with, args=(sys.stdin.fileno(),), daemon=True).start()
    for alias, name in names.items():
        connections[alias].settings_dict["NAME"] = name
    _do(task, sys.stdout.buffer)


def _do(task: "Task", answers: BinaryIO) -> None:
    # Models can be had only now.
    from mailmum.control.accounts.access import system_access
    from mailmum.control.accounts.models import Account
    from mailmum.control.triggers.share import look_at

    reading = system_access(Account.objects.get(pk=task.account))
    for step in look_at(reading, task):
        pickle.dump(step, answers)
        answers.flush()


def _end_with(orders: int) -> None:
    """End at once when nobody waits any more."""
    # Not by way of a file object: an interpreter that ends would find it locked by this thread.
    while os.read(orders, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
