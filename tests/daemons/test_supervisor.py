"""The supervisor with real processes: starts, deaths, stops, and nothing left behind."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons.supervisor_kit import (
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


@pytest.fixture
def noted(tmp_path: Path) -> Iterator[Path]:
    """A file for process numbers, of which none may be alive at the end."""
    yield from noting(tmp_path)


def test_parts_start_become_ready_and_stop_cleanly(noted: Path) -> None:
    """One `ready` when all answer; SIGTERM lets each part finish its work; exit status 0."""
    code = f"""
note({str(noted)!r})
def stop(*_):
    print("finished my work", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
ready()
wait()
"""
    with supervised(described("web", code), described("dns", code)) as child:
        assert child.output.count("ready\n") == 1
        assert child.stop() == 0
        assert child.output.count("finished my work\n") == 2
        assert child.output.endswith("done\n")
        assert [entry["reason"] for entry in logged(child, "stopping")] == ["SIGTERM"]
        assert {entry["part"] for entry in logged(child, "part stopped")} == {"web", "dns"}


def test_ready_waits_for_the_last_part(tmp_path: Path, noted: Path) -> None:
    """A part that has started but does not answer keeps `ready` back."""
    probe = tmp_path / "answers"
    code = f"note({str(noted)!r}); ready(); wait()"
    slow = described("slow", f"note({str(noted)!r}); wait()", probe=str(probe))
    with supervised(described("web", code), slow, ready="part answers", reminder=0.2) as child:
        child.wait_for('"part": "slow", "event": "part does not answer yet"')
        assert "ready\n" not in child.output
        probe.touch()
        child.wait_for("^ready$")
        answered = [entry["part"] for entry in logged(child, "part answers")]
        assert answered == ["web", "slow"]


def test_a_killed_part_starts_again_and_the_log_says_why(noted: Path) -> None:
    """The log names the signal, the last line and the pause; the part answers again."""
    code = f"note({str(noted)!r}); print('loaded 3 listings', flush=True); ready(); wait()"
    with supervised(described("dns", code)) as child:
        os.kill(pids(noted)[0], signal.SIGKILL)
        eventually(lambda: len(logged(child, "part answers")) == 2)
        [entry] = logged(child, "part ended, starting it again")
        assert entry["part"] == "dns"
        assert entry["reason"] == "killed by SIGKILL"
        assert entry["last_line"] == "loaded 3 listings"
        assert entry["restart_in"] == 0.05
        assert entry["level"] == "warning"
        assert len(set(pids(noted))) == 2
        assert child.output.count("ready\n") == 1


def test_an_exit_status_is_named_too(noted: Path) -> None:
    """A part that ends by itself, even with status 0, is started again."""
    code = f"note({str(noted)!r}); ready(); time.sleep(0.1); sys.exit(0)"
    with supervised(described("dns", code)) as child:
        eventually(lambda: len(logged(child, "part ended, starting it again")) >= 3)
        entries = logged(child, "part ended, starting it again")
        assert {entry["reason"] for entry in entries} == {"exit status 0"}
        assert [entry["restart_in"] for entry in entries[:3]] == [0.05, 0.1, 0.2]


def test_a_part_that_refuses_to_start_ends_the_whole_with_its_message(noted: Path) -> None:
    """Exit 1, and the message is that part's: cause and fix; the others are stopped."""
    web = described("web", f"note({str(noted)!r}); ready(); wait()")
    message = "mailmum: 127.0.0.1:53: permission denied; choose a port above 1023"
    dns = described(
        "dns", f"note({str(noted)!r}); print({message!r}, file=sys.stderr); sys.exit(1)"
    )
    with supervised(web, dns, ready=None) as child:
        assert child.process.wait(20) == 1
        last = child.output.splitlines()[-1]
        assert last == (
            "mailmum: dns does not start: 127.0.0.1:53: permission denied; choose a port above 1023"
        )
        assert "ready\n" not in child.output
    assert len(pids(noted)) == 4


def test_a_silent_refusal_still_says_what_happened() -> None:
    """Without any output the message has the exit status."""
    with supervised(described("dns", "sys.exit(3)"), ready=None) as child:
        assert child.process.wait(20) == 1
        last = child.output.splitlines()[-1]
        assert last == "mailmum: dns does not start: exit status 3 on each of 3 starts"


def test_a_program_that_is_not_there_is_named() -> None:
    """A command that cannot be run is a refusal like any other."""
    part = {"name": "dns", "argv": ["/nonexistent/mailmum", "dns"]}
    with supervised(part, ready=None) as child:
        assert child.process.wait(20) == 1
        assert child.output.splitlines()[-1] == (
            "mailmum: dns does not start: cannot run /nonexistent/mailmum: "
            "No such file or directory"
        )


def test_a_port_that_another_program_answers_on_is_not_ready(noted: Path) -> None:
    """Readiness comes from the part: the other program's answer does not count."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code = f"""
import socket
note({str(noted)!r})
try:
    socket.create_server(("127.0.0.1", {port}), reuse_port=False)
except OSError:
    sys.exit("mailmum: 127.0.0.1:{port} is in use; choose another with --web")
ready()
"""
        with supervised(described("web", code), ready=None) as child:
            assert child.process.wait(20) == 1
            assert "ready\n" not in child.output
            assert child.output.endswith(f"{port} is in use; choose another with --web\n")


def test_a_stubborn_part_is_killed_after_the_patience(noted: Path) -> None:
    """SIGTERM ignored: SIGKILL follows, workers included, and the exit status is still 0."""
    code = f"""
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
note({str(noted)!r})
ready()
wait()
"""
    with supervised(described("dns", code)) as child:
        eventually(lambda: len(pids(noted)) == 2)
        began = time.monotonic()
        assert child.stop() == 0
        assert time.monotonic() - began > 0.9
        assert [entry["part"] for entry in logged(child, "part does not stop, killing it")] == [
            "dns"
        ]


def test_a_second_interrupt_ends_at_once(noted: Path) -> None:
    """Ctrl-C twice does not wait for a stubborn part; a second SIGTERM does."""
    code = f"signal.signal(signal.SIGTERM, signal.SIG_IGN); note({str(noted)!r}); ready(); wait()"
    with supervised(described("dns", code), patience=60.0) as child:
        child.process.send_signal(signal.SIGINT)
        child.wait_for('"event": "stopping"')
        child.process.send_signal(signal.SIGTERM)
        eventually(lambda: len(logged(child, "stopping")) == 2)
        time.sleep(0.3)
        assert child.process.poll() is None
        child.process.send_signal(signal.SIGINT)
        assert child.process.wait(10) == 0


def test_workers_of_a_killed_part_do_not_live_on(noted: Path) -> None:
    """A worker that outlived its part would keep the port: it goes before the new start."""
    code = f"""
if not Path({str(noted)!r}).exists():
    os.fork()
note({str(noted)!r})
ready()
wait()
"""
    with supervised(described("dns", code)) as child:
        eventually(lambda: len(pids(noted)) == 2)
        leader, worker = sorted(pids(noted))
        os.kill(leader, signal.SIGKILL)
        eventually(lambda: len(pids(noted)) == 3)
        assert not alive(worker)
        assert child.process.poll() is None


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_killed_supervisor_leaves_no_orphans(noted: Path, *, stubborn: bool) -> None:
    """After kill -9 parts and their workers end, by SIGTERM if they listen to it."""
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if stubborn else ""
    code = f"""
{ignore}
os.fork()
note({str(noted)!r})
ready()
wait()
"""
    with supervised(described("web", code), described("dns", code), patience=0.5) as child:
        eventually(lambda: len(pids(noted)) == 4)
        guard = guard_of(child)
        assert guard is not None
        child.process.kill()
        child.process.wait()
        eventually(lambda: not any(alive(pid) for pid in pids(noted)))
        eventually(lambda: not alive(guard))


def test_whenever_the_supervisor_is_killed_nothing_is_left(tmp_path: Path) -> None:
    """Also in the moment between the birth of a child and its first instruction."""
    mark = str(tmp_path)
    parts = [described(f"part{number}", f"{mark!r}; ready(); wait()") for number in range(4)]
    for step in range(12):
        with supervised(*parts, ready=lambda: bool(bearing(mark)), patience=0.5) as child:
            time.sleep(0.12 + step * 0.008)
            child.process.kill()
            child.process.wait()
            eventually(lambda: not bearing(mark))


def test_a_killed_guard_is_replaced(noted: Path) -> None:
    """The new guard knows the parts that already run, and the one after a normal end goes too."""
    code = f"note({str(noted)!r}); ready(); wait()"
    with supervised(described("dns", code)) as child:
        first = guard_of(child)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: guard_of(child) not in (None, first))
        second = guard_of(child)
        assert second is not None
        child.wait_for("the guard process had ended")
        child.process.kill()
        child.process.wait()
        eventually(lambda: not alive(pids(noted)[0]))
        eventually(lambda: not alive(second))


def test_the_guard_ignores_polite_signals(noted: Path) -> None:
    """A service manager that signals every process must not take the guard first."""
    code = f"note({str(noted)!r}); ready(); wait()"
    with supervised(described("dns", code)) as child:
        guard = guard_of(child)
        assert guard is not None
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(guard, number)
        time.sleep(0.2)
        assert alive(guard)
        assert child.stop() == 0
        eventually(lambda: not alive(guard))


def test_a_hangup_stops_unless_it_is_ignored(noted: Path) -> None:
    """Closing the terminal ends it; under nohup it goes on."""
    code = f"note({str(noted)!r}); ready(); wait()"
    with supervised(described("dns", code)) as child:
        assert child.stop(signal.SIGHUP) == 0
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with supervised(described("dns", code)) as child:
            child.process.send_signal(signal.SIGHUP)
            time.sleep(0.3)
            assert child.process.poll() is None
            assert child.stop() == 0
    finally:
        signal.signal(signal.SIGHUP, former)


def test_lines_of_parts_are_passed_on_whole(noted: Path) -> None:
    """Two parts that write at the same time never mix within a line."""
    code = f"""
note({str(noted)!r})
for number in range(300):
    for piece in ("NAME", " says ", str(number), " " + "x" * 50, "\\n"):
        sys.stderr.write(piece)
        sys.stderr.flush()
ready()
wait()
"""
    parts = [described(name, code.replace("NAME", name)) for name in ("web", "dns")]
    numbers = [str(number) for number in range(300)]
    with supervised(*parts) as child:
        eventually(lambda: said(child, "web") == numbers)
        eventually(lambda: said(child, "dns") == numbers)


def said(child: Child, name: str) -> list[str]:
    """The numbers in that part's unbroken lines."""
    return re.findall(rf"^{name} says (\d+) x{{50}}$", child.output, re.MULTILINE)


def test_a_part_that_closes_its_output_costs_no_cycles(noted: Path) -> None:
    """A daemon may close its standard descriptors; the supervisor must not spin on that."""
    code = f"note({str(noted)!r}); os.close(1); os.close(2); ready(); wait()"
    with supervised(described("dns", code)) as child:
        before = cpu_time(child.pid)
        time.sleep(0.5)
        assert cpu_time(child.pid) - before < 0.2


def cpu_time(pid: int) -> float:
    """Seconds of processor time the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
