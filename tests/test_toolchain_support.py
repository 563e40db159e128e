"""The helpers that other tests lean on: ports, child processes, the private PostgreSQL."""

import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db.migrations.loader import MigrationLoader

from tests.support import tables
from tests.support.plugin import DATABASE_VARIABLE
from tests.support.ports import Kind, free_port, is_free
from tests.support.postgres import postgres
from tests.support.process import ProcessFailed, running
from tests.support.tables import TABLES_VARIABLE, copy_tables

ROOT = Path(__file__).resolve().parent.parent


def _python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def _exists(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait_until_gone(pid: int, timeout: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout
    while _exists(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("kind", ["tcp", "udp", "both"])
def test_free_port_can_be_bound(kind: Kind) -> None:
    """The port is free for every transport asked for, and below the ephemeral range."""
    port = free_port(kind)
    ephemeral = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert 1024 < port < ephemeral
    assert is_free(port, kind)


def test_free_port_is_never_given_twice() -> None:
    """Two servers of one test cannot get the same port, though neither has bound it yet."""
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50


@pytest.mark.parametrize(
    ("taken", "kind", "free"),
    [
        (socket.SOCK_STREAM, "tcp", False),
        (socket.SOCK_STREAM, "udp", True),
        (socket.SOCK_STREAM, "both", False),
        (socket.SOCK_DGRAM, "tcp", True),
        (socket.SOCK_DGRAM, "udp", False),
        (socket.SOCK_DGRAM, "both", False),
    ],
)
def test_taken_ports_are_seen(taken: socket.SocketKind, kind: Kind, free: bool) -> None:
    """A port in use over one transport counts for that transport and for `both`."""
    port = free_port("both")
    with socket.socket(socket.AF_INET, taken) as holder:
        holder.bind(("127.0.0.1", port))
        if taken is socket.SOCK_STREAM:
            holder.listen()
        assert is_free(port, kind) is free


def test_running_waits_for_the_pattern_and_ends_the_child() -> None:
    """The block starts when the output matches; after it the child is gone."""
    code = "import time; time.sleep(0.2); print('ready now'); time.sleep(60)"
    with running(_python(code), r"^ready") as child:
        assert "ready now" in child.output
        assert _exists(child.pid)
    assert not _exists(child.pid)


def test_running_ends_grandchildren_too() -> None:
    """What the child started and left behind is killed with its group."""
    code = (
        "import subprocess, time; p = subprocess.Popen(['sleep', '60']);"
        "print('pid', p.pid, flush=True); time.sleep(60)"
    )
    with running(_python(code), r"^pid \d+$") as child:
        found = re.search(r"^pid (\d+)$", child.output, re.MULTILINE)
        assert found
        grandchild = int(found[1])
        assert _exists(grandchild)
    assert _wait_until_gone(grandchild)


def test_running_shows_the_output_of_a_child_that_ends_early() -> None:
    """A child that fails to start fails the test with its exit status and its words."""
    with (
        pytest.raises(ProcessFailed, match=r"(?s)ended with 3 .*port in use"),
        running(_python("import sys; print('port in use'); sys.exit(3)"), "ready"),
    ):
        pass


def test_running_gives_up_on_a_silent_child() -> None:
    """A child that never becomes ready is an error after the timeout, and is gone."""
    with (
        pytest.raises(ProcessFailed, match=r"in 0\.3 s"),
        running(_python("import time; time.sleep(60)"), lambda: False, timeout=0.3),
    ):
        pass


def test_running_adds_the_output_to_a_failure_inside_the_block() -> None:
    """A failed assertion shows what the child said last."""
    command = _python("import time; print('the reason'); time.sleep(60)")
    with pytest.raises(ValueError, match="outer") as caught, running(command, "the reason"):
        raise ValueError("outer")
    assert "the reason" in "".join(caught.value.__notes__)


def test_running_reports_a_child_that_ignores_its_signal() -> None:
    """A daemon that does not stop when told to fails the test, and is killed."""
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('up'); time.sleep(60)"
    )
    with (
        pytest.raises(ProcessFailed, match="ignored signal"),
        running(_python(code), "up", timeout=1) as child,
    ):
        pass
    assert not _exists(child.pid)


def test_children_do_not_outlive_a_killed_test_run(tmp_path: Path) -> None:
    """A test run that is killed outright takes its children with it."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from tests.support.process import running\n"
        "with running(['sh', '-c', 'echo up; exec sleep 60'], 'up') as child:\n"
        "    print('pid', child.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ROOT)],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout
        pid = int(run.stdout.readline().split()[1])
        assert _exists(pid)
        run.send_signal(signal.SIGKILL)
    assert _wait_until_gone(pid)


def test_postgres_starts_answers_and_leaves_nothing() -> None:
    """A private cluster answers over loopback and over its socket, then is gone with its files."""
    with postgres() as cluster:
        with psycopg.connect(cluster.url()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
            assert connection.execute("show server_encoding").fetchone() == ("UTF8",)
        local = f"host={cluster.socket_folder} port={cluster.port} user=mailmum dbname=postgres"
        with psycopg.connect(local) as connection:
            assert connection.execute("select inet_server_addr()").fetchone() == (None,)
    assert not _exists(cluster.pid)
    assert not cluster.socket_folder.exists()
    assert is_free(cluster.port)


def test_postgres_stops_under_open_connections() -> None:
    """A connection that a test forgot does not hold the shutdown up."""
    with postgres() as cluster:
        forgotten = psycopg.connect(cluster.url())
    assert not _exists(cluster.pid)
    forgotten.close()


def test_services_get_tables_with_nothing_in_them(tmp_path: Path) -> None:
    """Those that the migrations of today make, in files that their owner alone may read."""
    copy_tables(tmp_path / "data")
    for name in ("mailmum.sqlite3", "traffic.sqlite3"):
        path = tmp_path / "data" / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with closing(sqlite3.connect(path)) as database:
            applied = set(database.execute("SELECT app, name FROM django_migrations"))
        assert applied == set(MigrationLoader(None).disk_migrations)
    with closing(sqlite3.connect(tmp_path / "data" / "mailmum.sqlite3")) as database:
        assert list(database.execute("SELECT * FROM accounts_account")) == []


def _nested(tmp_path: Path, database: str, *options: str) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "test_nested.py").write_text(
        "import os\n"
        "def test_shows_the_database(worker_id):\n"
        f"    with open({str(tmp_path / 'seen')!r}, 'a') as seen:\n"
        f"        print(worker_id, os.environ.get({DATABASE_VARIABLE!r}), file=seen)\n"
        "test_again = test_shows_the_database\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "MAILMUM", "DJANGO"))}
    command = [sys.executable, "-m", "pytest", "-c", os.devnull, "--rootdir", str(tmp_path)]
    for plugin in ("tests.support.plugin", "no:django", "no:cacheprovider"):
        command += ["-p", plugin]
    return subprocess.run(
        [*command, *options, str(tmp_path)],
        cwd=ROOT,
        env=env | {"MAILMUM_TEST_DATABASE": database},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_suite_gets_one_cluster_for_all_workers(tmp_path: Path) -> None:
    """On PostgreSQL every xdist worker sees the same private cluster, which ends with the run."""
    ran = _nested(tmp_path, "postgresql", "-n", "2")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert {worker for worker, _ in seen} <= {"gw0", "gw1"}
    (url,) = {url for _, url in seen}
    assert url.startswith("postgresql://mailmum@127.0.0.1:")
    assert is_free(urlsplit(url).port or 0)


def test_suite_runs_on_sqlite_unless_told(tmp_path: Path) -> None:
    """Without a wish no server is started and Django's settings take their default."""
    ran = _nested(tmp_path, "")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {line.split()[1] for line in (tmp_path / "seen").read_text().splitlines()} == {"None"}


def test_unknown_database_is_a_usage_error(tmp_path: Path) -> None:
    """A mistyped database stops the run instead of testing something else."""
    ran = _nested(tmp_path, "postgers")
    assert ran.returncode == 4
    assert "'postgers'" in ran.stderr


SPLIT = """
import pytest
from tests.support.plugin import run_database
def test_in_its_folder():
    {0}
@pytest.mark.both
def test_both():
    run_database()
"""


def _split(tmp_path: Path, pure: str, *options: str) -> "subprocess.CompletedProcess[str]":
    (tmp_path / "tests" / "domain").mkdir(parents=True)
    (tmp_path / "tests" / "domain" / "test_pure.py").write_text(SPLIT.format(pure))
    (tmp_path / "test_else.py").write_text(
        "import pytest\n"
        "from tests.support.plugin import run_database\n"
        "def test_meets():\n    run_database()\n"
        "@pytest.mark.once\ndef test_marked():\n    pass\n"
    )
    return _nested(tmp_path, "sqlite", "--import-mode=importlib", "-v", *options)


def test_what_meets_no_database_runs_once(tmp_path: Path) -> None:
    """The second run leaves it out; everything else is in both."""
    ran = _split(tmp_path, "pass", "--only-database")
    assert ran.returncode == 0, ran.stdout
    assert "4 passed, 2 deselected" in ran.stdout
    assert "test_both" in ran.stdout
    assert "test_in_its_folder" not in ran.stdout
    assert "test_marked" not in ran.stdout


def test_what_is_said_to_meet_none_cannot(tmp_path: Path) -> None:
    """Else a test could slip out of the second run unnoticed."""
    ran = _split(tmp_path, "run_database()")
    assert ran.returncode != 0
    assert "test_in_its_folder runs a service on the database" in ran.stdout
    assert "mark it `both`" in ran.stdout


def test_nor_can_it_by_django(tmp_path: Path) -> None:
    """Found before any test runs."""
    ran = _split(tmp_path, "pass")
    assert ran.returncode == 0
    path = tmp_path / "tests" / "domain" / "test_pure.py"
    path.write_text("import pytest\n@pytest.mark.django_db\ndef test_db():\n    pass\n")
    ran = _nested(tmp_path, "sqlite", "--import-mode=importlib")
    assert ran.returncode != 0
    assert "test_db uses the database" in ran.stdout + ran.stderr


def test_a_benchmark_has_a_folder_for_tables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts a service as tests do, and belongs to no run of theirs."""
    monkeypatch.delenv(TABLES_VARIABLE)
    with tables._alone() as folder:
        assert (folder / "lock").exists()
