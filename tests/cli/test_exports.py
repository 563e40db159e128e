"""`export`: to standard output, or to a file that is replaced whole or not at all."""

import json
from pathlib import Path

import pytest

from tests.cli.service import Answer, Service, error

PATH = "/api/v1/export"
TEXT = "203.0.113.7\n.spam.example # caf\u00e9\n".encode()


@pytest.fixture
def text(service: Service) -> bytes:
    """What the service exports."""
    service.on("GET", PATH, Answer(200, TEXT, "text/plain; charset=utf-8"))
    return TEXT


def test_the_bytes_are_passed_on(service: Service, text: bytes) -> None:
    """Unchanged; the query has what was asked for."""
    result = service.run("export", "--format", "plain", "--server", "mx1", "--action", "allow")
    assert result.stdout_bytes == text
    assert service.asked[0].query == {"format": "plain", "server": "mx1", "action": "allow"}


def test_a_file_is_written_and_readable_for_other_programs(
    service: Service, text: bytes, tmp_path: Path
) -> None:
    """The programs that read it run as other users."""
    path = tmp_path / "out.txt"
    result = service.run("export", "--format", "plain", "-o", str(path))
    assert result.exit_code == 0
    assert path.read_bytes() == text
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert list(tmp_path.iterdir()) == [path]
    assert result.stdout == ""


def _umask() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Umask")).split()[1], 8)


def test_a_file_that_is_replaced_keeps_its_mode(
    service: Service, text: bytes, tmp_path: Path
) -> None:
    """What the administrator has chosen stays."""
    path = tmp_path / "out.txt"
    path.write_text("old")
    path.chmod(0o640)
    service.run("export", "--format", "plain", "-o", str(path))
    assert path.read_bytes() == text
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "given",
    [
        Answer(200, TEXT * 1000, "text/plain", cut=100),
        error("bad-input", "rpz is not known", "choose", status=422),
    ],
)
def test_a_failure_leaves_the_old_file(service: Service, tmp_path: Path, given: Answer) -> None:
    """A map that other programs read is never half one, and no scrap stays beside it."""
    service.on("GET", PATH, given)
    path = tmp_path / "out.txt"
    path.write_text("old")
    assert service.run("export", "--format", "plain", "-o", str(path)).exit_code == 1
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_stream_that_breaks_off_is_a_failure(service: Service) -> None:
    """Half an export to standard output ends with exit status 1."""
    service.on("GET", PATH, Answer(200, TEXT * 1000, "text/plain", cut=100))
    result = service.run("export", "--format", "plain")
    assert result.exit_code == 1
    assert "broke off" in result.stderr


def test_a_folder_that_cannot_be_written(service: Service, text: bytes, tmp_path: Path) -> None:
    """The message names the file and the reason."""
    result = service.run("export", "--format", "plain", "-o", str(tmp_path / "no" / "out"))
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr
    assert text


def test_json_is_the_json_format(service: Service, text: bytes) -> None:
    """Without a file `--json` says which format is meant."""
    service.run("export", "--json")
    assert service.asked[0].query == {"format": "json"}
    assert text


def test_json_with_a_file_tells_what_was_written(
    service: Service, text: bytes, tmp_path: Path
) -> None:
    """Format, file and size."""
    path = tmp_path / "out.txt"
    told = json.loads(service.run("export", "--format", "plain", "--json", "-o", str(path)).stdout)
    assert told == {"format": "plain", "file": str(path), "bytes": len(text)}


@pytest.mark.parametrize("words", [[], ["--json", "--format", "csv"]])
def test_no_format_or_two_are_wrong_usage(service: Service, words: list[str]) -> None:
    """Nothing is asked."""
    assert service.run("export", *words).exit_code == 2
    assert service.asked == []
