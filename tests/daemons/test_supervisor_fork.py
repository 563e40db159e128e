"""Parts that start as forks: as good as programs, and nothing of the supervisor's left in them."""

import json
import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.daemons.supervisor_kit import (
    PRELUDE,
    alive,
    bearing,
    described,
    guard_of,
    logged,
    noting,
    pids,
    supervised,
)
from tests.support.process import Child
from tests.support.waiting import eventually


def forked(name: str, code: str, program: str = "", **more: Any) -> dict[str, Any]:
    """A part that runs this code as a fork, and the program when it is started again."""
    return described(name, program or "sys.exit('started again')", fork=PRELUDE + code, **more)


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[Path]:
    """A file for process numbers, of which none may be alive at the end."""
    yield from noting(tmp_path)


def test_the_next_start_is_a_program(noted: Path) -> None:
    """A fork only while the supervisor has one thread; what is started again is of its own."""
    code = f"""
print("I am", "a program" if "-c" in sys.orig_argv else "a fork", flush=True)
note({str(noted)!r})
ready()
wait()
"""
    with supervised(forked("dns", code, code)) as child:
        os.kill(pids(noted)[0], signal.SIGKILL)
        eventually(lambda: len(logged(child, "part answers")) == 2)
        child.wait_for(lambda: child.output.count("I am a") >= 3)
        said = [line for line in child.output.splitlines() if line.startswith("I am")]
        assert said == ["I am a fork", "I am a program"]
        [entry] = logged(child, "part ended, starting it again")
        assert entry["last_line"] == "I am a fork"
        assert child.stop() == 0


def test_a_spare_takes_the_place_of_one_that_ends(noted: Path) -> None:
    """Once, and as if it had been started then; after that come programs."""
    code = f"""
print("I am", "a program" if "-c" in sys.orig_argv else "a fork", flush=True)
note({str(noted)!r})
ready()
wait()
"""
    with supervised(forked("dns", code, code, spare=True), forked("web", code, code)) as child:
        for answered in (2, 3):
            eventually(partial(have_answered, child, answered))
            entries = [one for one in logged(child, "part started") if one["part"] == "dns"]
            os.kill(entries[-1]["pid"], signal.SIGKILL)
        eventually(partial(have_answered, child, 4))
        child.wait_for(r"^I am a program$")
        said = [line for line in child.output.splitlines() if line.startswith("I am")]
        assert said == ["I am a fork"] * 3 + ["I am a program"]
        assert child.stop() == 0


@pytest.mark.parametrize("killed", [False, True])
def test_a_spare_that_is_not_needed_ends_with_the_supervisor(noted: Path, killed: bool) -> None:
    """Told to stop, or killed: nothing stays, and the spare has done nothing."""
    code = f"note({str(noted)!r})\nready()\nwait()"
    with supervised(forked("dns", code, spare=True)) as child:
        spare = spare_of(child, noted)
        if killed:
            os.kill(child.pid, signal.SIGKILL)
        else:
            assert child.stop() == 0
        eventually(lambda: not alive(spare) and not alive(pids(noted)[0]))
    assert len(pids(noted)) == 1


def test_a_spare_that_has_been_ended_is_not_waited_for(noted: Path) -> None:
    """It is buried at once, not when it is needed; the part starts as a program then."""
    code = f"note({str(noted)!r})\nready()\nwait()"
    with supervised(forked("dns", code, code, spare=True)) as child:
        spare = spare_of(child, noted)
        os.kill(spare, signal.SIGKILL)
        eventually(lambda: bool(logged(child, "the spare of a part ended")))
        assert not Path(f"/proc/{spare}").exists()
        [told] = logged(child, "the spare of a part ended")
        assert (told["part"], told["reason"]) == ("dns", "killed by SIGKILL")
        os.kill(pids(noted)[0], signal.SIGKILL)
        eventually(partial(have_answered, child, 2))
        assert child.stop() == 0


def have_answered(child: Child, count: int) -> bool:
    """Whether so many starts have led to an answer."""
    return len(logged(child, "part answers")) == count


def spare_of(child: Child, noted: Path) -> int:
    """The spare of a supervisor of one part."""
    text = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text()
    [spare] = {*map(int, text.split())} - {pids(noted)[0], guard_of(child)}
    assert alive(spare)
    return spare


_LOOK = """
import json
def open_files():
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}").partition(":")[0]
        except OSError:
            pass
    return found
names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGCHLD")
handlers = {name: signal.getsignal(getattr(signal, name)) for name in names}
print(json.dumps({
    "files": open_files(),
    "usual": handlers.pop("SIGINT") is signal.default_int_handler
    and set(handlers.values()) == {signal.SIG_DFL},
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "wakeup": signal.set_wakeup_fd(-1),
    "leads": os.getpgid(0) == os.getpid(),
    "unbuffered": os.environ["PYTHONUNBUFFERED"],
}))
ready()
wait()
"""


def test_it_has_what_a_program_has() -> None:
    """Three descriptors, usual signals, a group of its own; the second fork as the first."""
    with supervised(forked("web", _LOOK), forked("dns", _LOOK)) as child:
        # What they say goes another way than that they are ready.
        child.wait_for(lambda: child.output.count('"leads"') == 2)
        said = [json.loads(line) for line in child.output.splitlines() if '"leads"' in line]
        assert said == 2 * [
            {
                "files": {"0": "/dev/null", "1": "pipe", "2": "pipe"},
                "usual": True,
                "blocked": 0,
                "wakeup": -1,
                "leads": True,
                "unbuffered": "1",
            }
        ]
        assert child.stop() == 0


@pytest.mark.parametrize(
    ("code", "says", "reason"),
    [
        (
            "from mailmum.domain.errors import Refusal; raise Refusal('port 1 is in use', fix='x')",
            "mailmum: port 1 is in use; x",
            "exit status 1",
        ),
        ("raise KeyError('ours')", "KeyError: 'ours'", "exit status 1"),
        ("print('bye', end=''); sys.exit(3)", "bye", "exit status 3"),
        ("sys.exit(0)", "", "exit status 0"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "", "killed by SIGTERM"),
    ],
)
def test_how_it_ends_is_told(code: str, says: str, reason: str) -> None:
    """Refusals in the words of the command line, faults with their traceback."""
    with supervised(forked("dns", code, "ready(); wait()")) as child:
        [entry] = logged(child, "part ended, starting it again")
        assert (entry["last_line"], entry["reason"]) == (says, reason)
        if "raise KeyError" in code:
            child.wait_for("Traceback")
        else:
            assert "Traceback" not in child.output


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_killed_supervisor_leaves_no_forks(noted: Path, *, stubborn: bool) -> None:
    """No fork keeps the guard's stream open: parts and their workers end."""
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""
    code = f"{ignore}\nos.fork()\nnote({str(noted)!r})\nready()\nwait()"
    with supervised(forked("web", code), forked("dns", code), patience=0.5) as child:
        eventually(lambda: len(pids(noted)) == 4)
        guard = guard_of(child)
        assert guard is not None
        child.process.kill()
        child.process.wait()
        eventually(lambda: not any(alive(pid) for pid in pids(noted)))
        eventually(lambda: not alive(guard))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_whenever_it_ends_no_fork_is_left(tmp_path: Path, number: signal.Signals) -> None:
    """Killed, or told to stop, between the birth of a child and its first instruction, too."""
    mark = str(tmp_path)
    parts = [forked(f"part{number}", f"{mark!r}; ready(); wait()") for number in range(4)]
    for step in range(4):
        with supervised(*parts, ready='"part": "part0"', patience=60.0) as child:
            time.sleep(step * 0.002)
            child.process.send_signal(number)
            child.process.wait(10)
            eventually(lambda: not bearing(mark))
