"""A followed log: each line once, whatever becomes of its file."""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailmum.daemons import tailing_rotated
from mailmum.daemons.tailing_files import LogFile, Place, open_file, place_in
from mailmum.daemons.tailing_path import FileLog
from mailmum.daemons.tailing_rotated import Rotating, older_parts, parts_of

OPTIONS = ("create", "copytruncate", "compress", "delaycompress", "dateext")


class Follower:
    """Reads a log and remembers, as a process does that keeps its place with what it has read."""

    def __init__(self, path: Path, size: int = 4096) -> None:
        self.path, self.size = path, size
        self.at: str | None = None
        self.data = b""
        self.log = FileLog(path, size=size)

    def read(self) -> bytes:
        """Read all that there is now; what is new."""
        before = len(self.data)
        while (piece := self.log.read()) is not None:
            self.data += piece.data
            self.at = piece.at
        return self.data[before:]

    def restart(self) -> None:
        """End and begin again with nothing but the place."""
        self.log.close()
        self.log = FileLog(self.path, self.at, size=self.size)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log will be."""
    return tmp_path / "mail.log"


@pytest.fixture
def follower(path: Path) -> Iterator[Follower]:
    """Somebody who follows it."""
    made = Follower(path)
    yield made
    made.log.close()


def write(path: Path, *lines: str, end: str = "\n") -> None:
    """Append lines as a log daemon does."""
    with path.open("a") as file:
        file.write("\n".join(lines) + end)


def test_lines_come_once_they_are_finished(path: Path, follower: Follower) -> None:
    """An unfinished one waits."""
    write(path, "one", "two", end="")
    assert follower.read() == b"one\n"
    write(path, "", "three")
    assert follower.read() == b"two\nthree\n"
    assert follower.read() == b""


def test_a_long_line_comes_in_parts(path: Path, follower: Follower) -> None:
    """It is never kept in memory as a whole."""
    write(path, "x" * 10_000, "after")
    pieces = []
    while (piece := follower.log.read()) is not None:
        pieces.append(piece.data)
    assert b"".join(pieces) == b"x" * 10_000 + b"\nafter\n"
    assert max(map(len, pieces)) == 4096


def test_a_missing_file_is_waited_for(path: Path, follower: Follower) -> None:
    """And it is said why there is nothing."""
    assert follower.read() == b""
    assert follower.log.trouble is not None
    assert str(path) in follower.log.trouble.problem
    write(path, "one")
    assert follower.read() == b"one\n"
    assert follower.log.trouble is None


def test_a_file_that_may_not_be_read(path: Path, follower: Follower) -> None:
    """The fix is told; once it is done reading begins. Root reads everything, so a folder."""
    path.mkdir()
    assert follower.read() == b""
    assert follower.log.trouble is not None
    assert follower.log.trouble.problem == f"{path} cannot be read: it is not a file"
    path.rmdir()
    write(path, "one")
    assert follower.read() == b"one\n"


def test_permission_is_asked_of_the_right_group() -> None:
    """As another user, who is told what to do on Debian."""
    program = (
        "import sys, os\n"
        "from mailmum.daemons.tailing_path import FileLog\nfrom pathlib import Path\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "log = FileLog(Path(sys.argv[1])); log.read(); print(log.trouble)"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "mail.log")
        write(path, "one")
        path.chmod(0o640)
        command = [sys.executable, "-c", program, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Permission denied" in done.stdout
    assert "adduser nobody adm" in done.stdout


def test_a_removed_file_is_read_to_its_end(path: Path, follower: Follower) -> None:
    """Also what is still written to it; then the new one under its name."""
    write(path, "one")
    follower.read()
    with path.open("a") as kept:
        path.unlink()
        kept.write("two\n")
        kept.flush()
        assert follower.read() == b"two\n"
    assert follower.read() == b""
    write(path, "three")
    assert follower.read() == b"three\n"


def test_the_old_file_is_read_until_the_new_one_has_content(path: Path, follower: Follower) -> None:
    """A log daemon that has not been told yet writes on to the renamed file."""
    write(path, "one")
    follower.read()
    path.rename(path.with_name("mail.log.1"))
    path.touch()
    assert follower.read() == b""
    write(path.with_name("mail.log.1"), "two")
    write(path, "three")
    assert follower.read() == b"two\nthree\n"


def test_a_last_line_that_nobody_finished_is_ended(path: Path, follower: Follower) -> None:
    """It must not run into the first line of the next file."""
    write(path, "one", "tw", end="")
    follower.read()
    path.rename(path.with_name("mail.log.1"))
    write(path, "three")
    assert follower.read() == b"tw\nthree\n"


def test_an_inode_used_again_is_another_file(path: Path, follower: Follower) -> None:
    """Removed and made anew while nobody followed, with the same inode and a longer content."""
    write(path, "one", "two")
    follower.read()
    follower.log.close()
    with path.open("r+") as file:  # The same inode without any doubt.
        file.truncate()
        file.write("three\nfour\nfive\n")
    follower.restart()
    assert follower.read() == b"three\nfour\nfive\n"
    assert "is gone" in follower.log.gap


def test_cut_off_and_grown_again_between_two_looks(path: Path, follower: Follower) -> None:
    """Longer than before, so only its beginning tells."""
    write(path, "one")
    follower.read()
    shutil.copy(path, path.with_name("mail.log.1"))
    with path.open("r+") as file:
        file.truncate()
        file.write("two\nthree\nfour\n")
    assert follower.read() == b"two\nthree\nfour\n"


def test_compressed_while_nobody_followed(path: Path, follower: Follower) -> None:
    """Two rotations, the older compressed: it is read on in the middle."""
    write(path, *(f"line {number} {'.' * 90}" for number in range(100)))
    piece = follower.log.read()
    assert piece is not None
    follower.data, follower.at = piece.data, piece.at
    whole = path.read_bytes()
    with gzip.open(path.with_name("mail.log.2.gz"), "wb") as file:
        file.write(whole)
    path.unlink()
    write(path.with_name("mail.log.1"), "between")
    write(path, "now")
    follower.restart()
    follower.read()
    assert follower.data == whole + b"between\nnow\n"
    assert follower.log.gap == ""


class Meanwhile:
    """Lets something happen between two system calls of the reader: before the file is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.event: Callable[[], object] | None = None
        monkeypatch.setattr(tailing_rotated, "open_file", self._open)

    def _open(self, path: Path) -> LogFile:
        event, self.event = self.event, None
        if event is not None:
            event()
        return open_file(path)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Meanwhile:
    """What happens between looking at the folder and opening a file in it."""
    return Meanwhile(monkeypatch)


def rotate(path: Path) -> None:
    """Put a log aside as logrotate does, one name after the other."""
    for part in older_parts(path):
        number = int(part.name.removeprefix("mail.log."))
        part.rename(part.with_name(f"mail.log.{number + 1}"))
    path.rename(path.with_name("mail.log.1"))


def compress(part: Path) -> None:
    """As gzip does: the new file first, then the old one goes."""
    part.with_name(f"{part.name}.gz").write_bytes(gzip.compress(part.read_bytes()))
    part.unlink()


@pytest.mark.parametrize("event", [rotate, lambda path: compress(path.with_name("mail.log.1"))])
def test_rotated_while_the_place_is_looked_for(
    event: Callable[[Path], object], path: Path, follower: Follower, meanwhile: Meanwhile
) -> None:
    """It is looked for again: nothing is taken for gone, nothing is read twice."""
    write(path, "one")
    follower.read()
    write(path, "two")
    rotate(path)
    write(path, "three")
    follower.restart()
    meanwhile.event = lambda: event(path)
    assert follower.read() == b""
    assert follower.log.trouble is None
    write(path, "four")
    follower.read()
    assert (follower.data, follower.log.gap) == (b"one\ntwo\nthree\nfour\n", "")


def test_rotated_while_the_next_part_is_looked_for(
    path: Path, follower: Follower, meanwhile: Meanwhile
) -> None:
    """The part that loses its name just then is not passed over."""
    write(path, "one")
    follower.read()
    rotate(path)
    write(path, "two")

    def again() -> None:
        rotate(path)
        write(path, "three")

    meanwhile.event = again
    follower.read()
    follower.read()
    assert follower.data == b"one\ntwo\nthree\n"


def test_names_that_change_while_the_folder_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two looks that differ are no answer."""
    write(path, "one")
    looks = iter([[path.with_name("mail.log.1")], []])
    write(path.with_name("mail.log.1"), "older")
    monkeypatch.setattr(tailing_rotated, "older_parts", lambda _: next(looks))
    with pytest.raises(Rotating):
        parts_of(path)


def test_a_damaged_compressed_part_ends_where_it_is_damaged(path: Path) -> None:
    """Nothing is raised, and what follows is read."""
    part = path.with_name("mail.log.1.gz")
    data = b"".join(b"line %d\n" % number for number in range(5000))
    part.write_bytes(gzip.compress(data)[:-2000])
    file = open_file(part)
    place = place_in(file, 1200)
    file.close()
    write(path, "now")
    log = FileLog(path, place.text())
    found = b""
    while (piece := log.read()) is not None:
        found += piece.data
    log.close()
    assert found.endswith(b"now\n")
    assert data[1200:].startswith(found[:100].partition(b"now")[0])


def test_what_is_gone_is_said(path: Path, follower: Follower) -> None:
    """The file was rotated and deleted; later parts are read, earlier ones are not."""
    write(path.with_name("mail.log.3"), "long ago")
    os.utime(path.with_name("mail.log.3"), (1, 1))
    write(path, "one")
    follower.read()
    path.unlink()
    write(path.with_name("mail.log.1"), "later")
    os.utime(path.with_name("mail.log.1"), (2**32, 2**32))
    write(path, "now")
    follower.restart()
    assert follower.read() == b"later\nnow\n"
    assert "is gone" in follower.log.gap


@pytest.mark.parametrize("options", [OPTIONS[:1], OPTIONS[1:2], OPTIONS[:3], OPTIONS[:4], OPTIONS])
@pytest.mark.parametrize("live", [True, False])
def test_logrotate(options: tuple[str, ...], *, live: bool, path: Path, follower: Follower) -> None:
    """The real one in each of its ways, followed and not followed while it runs."""
    lines = [f"line {number} {'.' * (number % 70)}" for number in range(300)]
    extra = ["dateformat -%Y%m%d-%s"] if "dateext" in options else []
    chosen = [one for one in options if one != "copytruncate" or "create" not in options]
    config = path.with_name("logrotate.conf")
    words = "\n".join([*chosen, *extra, "rotate 20", "nomail", "su root root"])
    config.write_text(f"{path} {{\n{words}\n}}\n")
    config.chmod(0o644)
    for at in range(0, 300, 100):
        write(path, *lines[at : at + 40])
        if live:
            follower.read()
        write(path, *lines[at + 40 : at + 70])
        if not live:
            follower.read()
            follower.log.close()
        state = path.with_name("state")
        subprocess.run(["logrotate", "-f", "-s", state, config], check=True, capture_output=True)
        if "dateext" in options:
            # Its names have seconds, and it leaves the log alone while that name is taken.
            _age_by_a_second(path)
        write(path, *lines[at + 70 : at + 100])
        if not live:
            follower.restart()
    follower.read()
    assert follower.data.decode().splitlines() == lines


def _age_by_a_second(path: Path) -> None:
    for part in reversed(older_parts(path)):
        date, dash, seconds = part.name.rpartition("-")
        number = int(seconds.removesuffix(".gz")) - 100
        part.rename(part.with_name(f"{date}{dash}{number}{'.gz' * (part.suffix == '.gz')}"))


Step = tuple[str, int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("line", "part", "rename", "copy", "compress", "read", "restart")),
        st.integers(1, 90),
    ),
    max_size=40,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(STEPS)
def test_any_sequence_of_events(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    """Each line comes once and in order; only unfinished ones may be ended by a rotation."""
    folder = tmp_path_factory.mktemp("log")
    path = folder / "mail.log"
    written = bytearray(b"the first line\n")
    path.write_bytes(written)
    follower = Follower(path, size=256)
    follower.read()
    for number, (step, size) in enumerate(steps):
        _happen(step, size, number, follower, written)
    follower.read()
    follower.log.close()
    shutil.rmtree(folder)
    assert follower.data == bytes(written)[: len(follower.data)]
    assert b"\n" not in bytes(written)[len(follower.data) :]


def _happen(step: str, size: int, number: int, follower: Follower, written: bytearray) -> None:
    path = follower.path
    if step in ("line", "part"):
        data = f"{number} {'x' * size}".encode() + b"\n" * (step == "line")
        with path.open("ab") as file:
            file.write(data)
        written += data
    elif step in ("rename", "copy") and path.stat().st_size:
        # A file is ended with a whole line here; that of the other kind has a test of its own.
        if not written.endswith(b"\n"):
            _happen("line", size, number, follower, written)
        if step == "copy":
            # What a copy has lost in between nobody can find, so it has been read before.
            follower.read()
        _put_aside(path, copy=step == "copy")
    elif step == "compress":
        _compress(path)
    elif step == "read":
        follower.read()
    elif step == "restart":
        follower.restart()


def _put_aside(path: Path, *, copy: bool) -> None:
    for part in older_parts(path):
        name, number, *rest = part.name.removeprefix("mail.log").split(".")
        part.rename(path.with_name(".".join(["mail.log", str(int(number) + 1), *rest]) + name))
    if copy:
        shutil.copy2(path, path.with_name("mail.log.1"))
        os.truncate(path, 0)
    else:
        path.rename(path.with_name("mail.log.1"))
        path.touch()


def _compress(path: Path) -> None:
    for part in older_parts(path)[:1]:
        if part.suffix != ".gz":
            subprocess.run(["gzip", part], check=True)


@given(st.text() | st.builds(Place, *[st.integers(0, 2**40)] * 3).map(Place.text))
def test_places_are_checked(text: str) -> None:
    """Whatever stands there, it is a place or a ValueError."""
    try:
        place = Place.parse(text)
    except (ValueError, RecursionError):
        return
    assert Place.parse(place.text()) == place
