"""The snapshot file: whole or not at all, for its owner's eyes only."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailmum.daemons.snapshots import SnapshotDamaged, read, save, write
from mailmum.domain.listings import Action, Listing
from mailmum.domain.targets import parse_target
from mailmum.index.index import Index
from mailmum.index.records import Everything, KeyRecord, ServerRecord
from mailmum.index.snapshot import dump


def index_at(position: int) -> Index:
    """A small index."""
    server = ServerRecord(1, 1, "ref", (KeyRecord("k7f3q9x2m4t8"),))
    listing = Listing(1, 1, 0, Action.BLOCK, parse_target("203.0.113.0/24"))
    return Index.build(Everything(position, (server,), [listing]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the snapshot goes."""
    return tmp_path / "listings.snapshot"


def test_what_is_saved_is_read(path: Path) -> None:
    """And the newest replaces the one before."""
    for position in (5, 6):
        save(path, index_at(position))
        index = read(path)
        assert index.position == position
        state = index.key(b"k7f3q9x2m4t8", 0.0)
        assert state is not None
        assert index.find_address(state.server, 4, 0xCB007107, 0.0) is not None


def test_only_the_owner_reads_it(path: Path) -> None:
    """It names zone keys."""
    save(path, index_at(5))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    save(path, index_at(6))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_else_is_left_behind(path: Path) -> None:
    """Even what a process that was killed left is cleared away; what it links to is not touched."""
    target = path.parent / "other"
    target.write_bytes(b"other")
    (path.parent / f".{path.name}.new").symlink_to(target)
    save(path, index_at(5))
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["listings.snapshot", "other"]
    assert target.read_bytes() == b"other"


class FullDisk(OSError):
    """What writing to a full disk raises, told apart from other errors."""


def failing(index: Index) -> Iterator[bytes]:
    """A snapshot that ends in an error."""
    yield next(dump(index))
    raise FullDisk


def test_a_failed_write_leaves_the_old_snapshot(path: Path) -> None:
    """And no half of a new one."""
    save(path, index_at(5))
    with pytest.raises(FullDisk):
        write(path, failing(index_at(6)))
    assert read(path).position == 5
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_folder_that_is_not_there(path: Path) -> None:
    """Is an error to tell, not to hide."""
    with pytest.raises(FileNotFoundError):
        save(path.parent / "missing" / path.name, index_at(5))


def test_reading_tells_missing_from_damaged(path: Path) -> None:
    """A first start has no snapshot; anything else that is no snapshot is told as damage."""
    with pytest.raises(FileNotFoundError):
        read(path)
    save(path, index_at(5))
    data = path.read_bytes()
    for damaged in (b"", data[:-1], data.replace(b"ref", b"rex")):
        path.write_bytes(damaged)
        with pytest.raises(SnapshotDamaged):
            read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SnapshotDamaged, match="it cannot be read: Is a directory"):
        read(path)


def test_a_snapshot_that_is_written_over_changes_no_answers(path: Path) -> None:
    """`cp` of a backup cuts the file off and writes in place; what was read is a copy."""
    save(path, index_at(5))
    index = read(path)
    with path.open("r+b") as file:
        file.truncate(0)
        file.write(bytes(10_000))
    state = index.key(b"k7f3q9x2m4t8", 0.0)
    assert state is not None
    assert index.find_address(state.server, 4, 0xCB007107, 0.0) is not None
