"""`import`: what is sent, how the report is told, and that a bad line is exit status 1."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailmum.cli.failures import Failure
from mailmum.cli.imports import _counted
from tests.cli.service import Service, error, lines
from tests.cli.terminal import on_a_terminal, without_style

PATH = "/api/v1/import"


def report(**more: Any) -> dict[str, Any]:
    """A report."""
    return {
        "format": "plain",
        "label": "drop.txt",
        "dry_run": False,
        "lines": 3,
        "added": 2,
        "changed": 0,
        "unchanged": 1,
        "removed": 0,
        "bad": 0,
        "applied": True,
        "change": 21,
        "bad_lines": [],
        "warnings": [],
    } | more


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to import."""
    path = tmp_path / "drop.txt"
    path.write_bytes(b"203.0.113.7\n192.0.2.1\n")
    return path


def test_a_file_is_sent_as_it_is_with_its_name_as_label(service: Service, file: Path) -> None:
    """Nothing that was not asked for stands in the query."""
    progress = {"progress": {"phase": "checking", "bytes": 9, "of": 22, "lines": 1, "total": None}}
    service.on("POST", PATH, lines(progress, {"report": report()}))
    result = service.run("import", str(file))
    [asked] = service.asked
    assert asked.body == file.read_bytes()
    assert asked.headers["content-length"] == "22"
    assert asked.headers["content-type"] == "application/octet-stream"
    assert asked.query == {"label": "drop.txt"}
    assert result.exit_code == 0
    assert result.stdout == (
        "3 lines of drop.txt (plain): 2 added, 0 changed, 1 unchanged, 0 removed in change 21\n"
    )
    assert result.stderr == ""


def test_every_option_is_sent(service: Service, file: Path) -> None:
    """By the names of the API."""
    service.on("POST", PATH, lines({"report": report()}))
    words = "--format plain --label x --server mx1 --action allow --for 7d --reason r"
    service.run("import", str(file), *words.split(), "--mine", "--force", "--dry-run")
    service.run("import", str(file), "--remove-missing")
    assert service.asked[0].query == {
        "format": "plain",
        "label": "x",
        "server": "mx1",
        "action": "allow",
        "for": "7d",
        "reason": "r",
        "mine": "1",
        "force": "1",
        "dry_run": "1",
    }
    assert service.asked[1].query == {"label": "drop.txt", "remove_missing": "1"}


def test_standard_input_is_streamed(service: Service) -> None:
    """Its length is not known before it ends."""
    service.on("POST", PATH, lines({"report": report()}))
    result = service.run("import", "-", "--format", "plain", input=b"203.0.113.7\n")
    [asked] = service.asked
    assert asked.body == b"203.0.113.7\n"
    assert asked.query["label"] == "standard input"
    assert result.exit_code == 0


def test_a_pipe_is_streamed(service: Service, tmp_path: Path) -> None:
    """A named pipe has no size either."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"203.0.113.7\n",), daemon=True)
    writer.start()
    service.on("POST", PATH, lines({"report": report()}))
    assert service.run("import", str(pipe)).exit_code == 0
    assert service.asked[0].body == b"203.0.113.7\n"
    writer.join(5)


def test_bad_lines_are_told_and_nothing_is_changed(service: Service, file: Path) -> None:
    """Number, text and reason of each; exit status 1."""
    bad = [{"line": 2, "text": "'bad\\x1b'", "problem": "not a name\x1b"}]
    given = report(bad=1, applied=False, change=None, added=0, unchanged=0, bad_lines=bad)
    service.on("POST", PATH, lines({"report": given}))
    result = service.run("import", str(file))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "mailmum: line 2: 'bad\\x1b': not a name\\x1b",
        (
            "mailmum: 1 of 3 lines are bad and nothing was changed; "
            "mend them, or take them out, and import again"
        ),
    ]


def test_the_report_as_json_is_the_one_document(service: Service, file: Path) -> None:
    """Bad lines or not; the exit status tells them apart."""
    for bad in (0, 1):
        service.on("POST", PATH, lines({"report": report(bad=bad)}))
        result = service.run("import", str(file), "--json")
        assert json.loads(result.stdout) == report(bad=bad)
        assert result.exit_code == bad


def test_many_bad_lines_and_remarks_do_not_flood(service: Service, file: Path) -> None:
    """Twenty of each and how many more there are."""
    found = [{"line": n, "text": "x", "problem": "bad"} for n in range(30)]
    remarks = [{"line": n, "text": "", "problem": "ignored"} for n in range(25)]
    given = report(bad=1234, bad_lines=found, warnings=remarks)
    service.on("POST", PATH, lines({"report": given}))
    shown = service.run("import", str(file)).stderr.splitlines()
    assert len(shown) == 20 + 1 + 20 + 1 + 1
    assert shown[0] == "mailmum: line 0: ignored"
    assert shown[20].startswith("mailmum: and 5 more remarks")
    assert shown[41].startswith("mailmum: and 1214 more bad lines")


def test_a_dry_run_says_would(service: Service, file: Path) -> None:
    """So that nobody thinks it is done."""
    service.on("POST", PATH, lines({"report": report(dry_run=True, applied=False, change=None)}))
    out = service.run("import", str(file), "--dry-run").stdout
    assert "would make: 2 added" in out
    assert "nothing was changed" in out
    assert "to block" not in out


def test_a_dry_run_tells_whom_it_would_hit(service: Service, file: Path) -> None:
    """In the words of a feed's look; and all of it as JSON."""
    impact = {
        "verdict": "caution",
        "warnings": ["1 client delivered 3 accepted messages in 30 days: it would be rejected"],
        "days": 30,
        "since": "2026-10-29T00:00:00Z",
        "complete": True,
        "contacts": 8,
        "clients": 2,
        "accepted": 3,
        "rejected": 5,
        "kept": 0,
        "hits": [{"client": "203.0.113.7", "accepted": 3, "rejected": 0, "kept": False}],
    }
    dry = report(dry_run=True, applied=False, change=None, impact=impact)
    service.on("POST", PATH, lines({"report": dry}))
    assert service.run("import", str(file), "--dry-run").stdout.splitlines()[1:] == [
        "to block all of it: caution",
        "  ! 1 client delivered 3 accepted messages in 30 days: it would be rejected",
        "  8 contacts of 2 clients since 2026-10-29, 3 accepted, 5 rejected",
        "  delivers mail: 203.0.113.7, 3 accepted, 0 rejected",
    ]
    done = service.run("import", str(file), "--dry-run", "--json")
    assert json.loads(done.stdout)["impact"] == impact


def test_a_file_that_is_not_there(service: Service, tmp_path: Path) -> None:
    """The name and the reason; the service is not asked."""
    result = service.run("import", str(tmp_path / "typo"))
    assert result.exit_code == 1
    assert "typo cannot be read: No such file or directory" in result.stderr
    assert service.asked == []


def test_a_folder_is_no_file(service: Service, tmp_path: Path) -> None:
    """The same for what cannot be read at all."""
    assert "cannot be read: Is a directory" in service.run("import", str(tmp_path)).stderr


def test_a_stream_without_report_is_a_failure(service: Service, file: Path) -> None:
    """The service died in between: it is not told as done."""
    service.on("POST", PATH, lines({"progress": {"phase": "writing"}}))
    result = service.run("import", str(file))
    assert result.exit_code == 1
    assert "broke off before its report" in result.stderr


def test_a_refusal_of_the_whole(service: Service, file: Path) -> None:
    """An unknown format, for example."""
    refused = error("bad-input", "the format is not clear", "say which: --format", status=422)
    service.on("POST", PATH, refused)
    result = service.run("import", str(file))
    assert (result.exit_code, result.stderr) == (
        1,
        "mailmum: the format is not clear; say which: --format\n",
    )


def test_a_file_that_grows_is_sent_as_long_as_it_was(tmp_path: Path) -> None:
    """What was promised in Content-Length is what is sent."""
    path = tmp_path / "growing"
    path.write_bytes(b"x" * 100)
    with path.open("rb") as source:
        sent: list[tuple[int, int | None]] = []
        pieces = _counted(source, 60, lambda *told: sent.append(told))
        assert b"".join(pieces) == b"x" * 60
    assert sent == [(60, 60)]


def test_a_file_that_shrinks_is_a_failure(tmp_path: Path) -> None:
    """Else the service would wait for the rest."""
    path = tmp_path / "shrinking"
    path.write_bytes(b"x" * 10)
    with path.open("rb") as source, pytest.raises(Failure, match="became shorter"):
        list(_counted(source, 20, lambda *_: None))


def test_a_large_file_needs_little_memory(service: Service, tmp_path: Path) -> None:
    """It is read in pieces: none is as long as the file."""
    path = tmp_path / "large"
    path.write_bytes(b"203.0.113.7\n" * 200_000)
    with path.open("rb") as source:
        longest = max(len(piece) for piece in _counted(source, None, lambda *_: None))
    assert longest <= 256 * 1024


def test_a_terminal_shows_progress_and_no_trace_of_it_in_the_end(
    service: Service, file: Path
) -> None:
    """A bar on standard error while it runs; then the report alone."""
    told = {"phase": "checking", "bytes": 9, "of": 22, "lines": 1, "total": None}
    service.on("POST", PATH, replace(lines({"progress": told}, {"report": report()}), delay=0.4))
    shown = on_a_terminal(service, "import", str(file))
    assert "sending" in shown
    assert "%" in shown
    assert "\x1b[2K" in shown
    assert without_style(shown).rstrip().endswith("0 removed in change 21")


def test_json_on_a_terminal_shows_no_progress(service: Service, file: Path) -> None:
    """Whoever asks for JSON gets nothing else."""
    service.on("POST", PATH, lines({"report": report()}))
    assert json.loads(on_a_terminal(service, "import", str(file), "--json")) == report()
