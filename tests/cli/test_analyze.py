"""`analyze` on a week's log, against the ledger of its writer, plain counting, and pflogsumm."""

import bz2
import gzip
import json
import lzma
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mailmum.cli.main import cli
from tests.cli.terminal import without_style
from tests.postfix.log.faulty import POISON, faulty
from tests.support.maillog import EVIL, OWN, PARTNER, WARNING, Ledger, week
from tests.support.zstd import packed

UTC_ZONE = ("--zone", "UTC")
LOG_KEYS = {
    "accepted", "rejected", "deferred", "relay-denied", "unknown-recipient", "auth-failed",
    "protocol", "lost", "connected", "warned",
}  # fmt: skip


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    """What was written."""
    return week()


@pytest.fixture(scope="module")
def log(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a week."""
    path = tmp_path_factory.mktemp("analyze") / "mail.log"
    path.write_text(ledger.text)
    moment = 1_795_300_000  # 22 November 2026: what a copy that keeps its time would have
    os.utime(path, (moment, moment))
    return path


def run(*words: object, input: bytes | None = None, **env: str) -> Result:  # noqa: A002 - CliRunner's own word
    """Run the command where no service is."""
    nowhere = ("MAILMUM_URL", "MAILMUM_TOKEN", "MAILMUM_DATA")
    # Some run the tests in narrow terminals.
    given: dict[str, str | None] = {**dict.fromkeys(nowhere), "COLUMNS": "100"}
    return CliRunner().invoke(
        cli, ["analyze", *map(str, words)], input=input, env=given | env, catch_exceptions=False
    )


def document(*words: object, **more: Any) -> dict[str, Any]:
    """What it prints with --json."""
    result = run(*words, "--json", *UTC_ZONE, **more)
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_contract(log: Path, ledger: Ledger) -> None:
    """Lines, what was not understood, totals by outcome, hits by list, clients worst first."""
    told = document(log)
    assert told["lines"] == len(ledger.lines)
    assert told["unrecognised"] == 0
    assert set(told["totals"]) == LOG_KEYS
    assert {word: count for word, count in told["totals"].items() if count} == ledger.outcomes
    assert told["rbl"] == ledger.hits
    shown = {one["client"]: one["stopped"] for one in told["clients"]}
    assert list(shown.values()) == sorted(shown.values(), reverse=True)
    assert all(ledger.clients[client] == count for client, count in shown.items())
    assert next(iter(shown)) == ledger.clients.most_common(1)[0][0]
    assert len(shown) == 100


def test_lines_on_which_the_reader_fails_are_told(
    log: Path, ledger: Ledger, tmp_path: Path
) -> None:
    """All else counts as ever; the exit status is that of a log that was read."""
    half = ledger.text.index("\n", len(ledger.text) // 2) + 1
    poisoned = tmp_path / "poisoned.log"
    poisoned.write_text(ledger.text[:half] + POISON.decode() + ledger.text[half:])
    os.utime(poisoned, (log.stat().st_mtime, log.stat().st_mtime))
    with faulty():
        told = document(poisoned)
        printed = run(poisoned, "--unrecognised", *UTC_ZONE).stdout
    assert (told["lines"], told["failed"], told["unrecognised"]) == (len(ledger.lines) + 1, 1, 1)
    assert {word: count for word, count in told["totals"].items() if count} == ledger.outcomes
    assert "a line made the reader itself fail (ZeroDivisionError)" in " ".join(printed.split())
    assert "a poisoned line" in printed


def test_against_plain_counting(log: Path) -> None:
    """What grep would say."""
    text = log.read_text()
    told = document(log)
    listed = Counter(re.findall(r"blocked using (\S+);", text))
    assert told["rbl"] == listed
    totals = told["totals"]
    refused = len(re.findall(r"NOQUEUE: reject: ", text))
    words = ("rejected", "deferred", "relay-denied", "unknown-recipient")
    assert sum(totals[word] for word in words) == refused
    assert totals["warned"] == text.count("NOQUEUE: reject_warning: ")
    assert totals["accepted"] == len(re.findall(r": [0-9A-F]{9}: client=", text))
    assert totals["auth-failed"] == text.count("authentication failed")
    assert told["deliveries"]["bounced"] == text.count("status=bounced")


def test_against_pflogsumm(log: Path) -> None:
    """The same file, read by a program that is not ours."""
    done = subprocess.run(["pflogsumm", str(log)], capture_output=True, text=True, check=True)
    theirs = {
        name: int(number)
        for number, name in re.findall(r"^ +(\d+) +([a-z ]+?)(?: +\(\d+%\))?$", done.stdout, re.M)
    }
    told = document(log)
    totals = told["totals"]
    words = ("rejected", "deferred", "relay-denied", "unknown-recipient")
    assert theirs["received"] == totals["accepted"]
    assert theirs["rejected"] == sum(totals[word] for word in words)
    assert theirs["reject warnings"] == totals["warned"]
    assert theirs["delivered"] == told["deliveries"]["sent"]
    assert theirs["bounced"] == told["deliveries"]["bounced"]


def test_advice(log: Path) -> None:
    """The story's villains are found, and the partner whom a list wronged."""
    told = document(log)
    assert [one["target"] for one in told["allow"]] == [PARTNER]
    first = [one["target"] for one in told["block"][:3]]
    assert first == ["203.0.113.0/24", "192.0.2.66", "2001:db8:bad::/64"]
    assert told["block"][0]["command"].startswith(
        "mailmum block 203.0.113.0/24 --for 30d --reason "
    )
    assert told["block"][0]["evidence"]["accepted"] == 0


def test_events(log: Path, ledger: Ledger) -> None:
    """One object a sighting; what is counted in them is what the report counts."""
    result = run(log, "--events", *UTC_ZONE)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert Counter(one["outcome"] for one in events) == ledger.outcomes
    assert Counter(one["rbl"] for one in events if one["rbl"]) == ledger.hits
    accepted = Counter(one["client"] for one in events if one["outcome"] == "accepted")
    assert accepted == ledger.accepted
    words = {"time", "host", "service", "client", "client_name", "helo", "sender", "recipient"}
    assert words | {"outcome", "code", "rbl", "queue_id", "delivery", "score"} <= set(events[0])
    assert {one["code"] for one in events if one["outcome"] == "unknown-recipient"} == {550}


def test_rspamds_own_log_is_read_in_step(tmp_path: Path) -> None:
    """In any order of names, packed or not; what senders write forges no score of others."""
    mail, told, scores = [], [], {}
    for number in range(6000):
        minute, second = divmod(number % 3600, 60)
        hour, queue_id, address = (
            6 + number // 3600,
            f"4C1bQ{number:07}",
            f"198.51.100.{number % 99}",
        )
        stamp, score = f"{hour:02}:{minute:02}:{second:02}", number % 20 - 3
        who, to = f"smtpd[{number % 50}]: ", "lmtp[9]: "
        mail += [
            f"Nov 20 {stamp} mx1 postfix/{line}\n"
            for line in (
                f"{who}connect from unknown[{address}]",
                f"{who}{queue_id}: client=unknown[{address}]",
                f"cleanup[2]: {queue_id}: message-id=<{number}@a.example>",
                f"qmgr[3]: {queue_id}: from=<a@a.example>, size=9, nrcpt=1 (queue active)",
                f"{to}{queue_id}: to=<b@example.net>, relay=x, dsn=2.0.0, status=sent (ok)",
                f"qmgr[3]: {queue_id}: removed",
            )
        ]
        tail = f"(default: {'FT'[score > 5]} (x): [{score}.00/15.00] [A(1.00){{}}]), len: 9\n"
        head = f"2026-11-20 {stamp} #77(rspamd_proxy) <{number:06x}>; "
        forged = f"id: <x>, qid: <4C1bQ{number + 1:07}>, ip: 192.0.2.1, from: <>, {tail}"
        told.append(f"{head}lua; subject.lua:1: subject: rspamd_task_write_log: {forged}")
        sender = f"a> rspamd_task_write_log: {forged.strip()}"
        told.append(
            f"{head}proxy; rspamd_task_write_log: id: <{number}@a.example>, qid: <{queue_id}>, "
            f"ip: {address}, from: <{sender if number % 7 == 0 else 'a@a.example'}>, {tail}"
        )
        scores[queue_id] = (score, score > 5)
    (tmp_path / "mail.log").write_text("".join(mail))
    (tmp_path / "own.log.gz").write_bytes(gzip.compress("".join(told).encode()))
    moment = 1_795_300_000
    os.utime(tmp_path / "mail.log", (moment, moment))
    os.utime(tmp_path / "own.log.gz", (moment, moment))
    result = run(tmp_path / "own.log.gz", tmp_path / "mail.log", "--events", *UTC_ZONE)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert {one["queue_id"]: (one["score"], one["spam"]) for one in events} == scores
    told_of = document(tmp_path / "mail.log", tmp_path / "own.log.gz")
    assert (told_of["lines"], told_of["unrecognised"]) == (8 * 6000, 0)
    assert all(one["score"] is not None for one in told_of["clients"])


def test_text(log: Path) -> None:
    """In a pipe plain text, with nothing in it that a terminal would obey."""
    result = run(log, *UTC_ZONE)
    assert result.exit_code == 0
    text = result.stdout
    for title in ("Outcomes", "Over time", "Hits by list", "Worst clients", "To allow", "To block"):
        assert f"\n{title}\n" in text
    assert "Sun 15 Nov 2026 00:00 to Sat 21 Nov 2026" in text
    assert f"{OWN} (yours)" in text
    assert "nothing logged" in text
    assert f"  {WARNING} alone would have named 170 of the 310 listed clients (54.8 %)" in text
    assert "  203.0.113.0/24\n    716 refused from 31 addresses, none accepted: unknown" in text
    assert all(line.isprintable() for line in text.splitlines())
    commands = [line for line in text.splitlines() if line.startswith("    mailmum ")]
    assert len(commands) == 11


def test_text_on_a_terminal(log: Path) -> None:
    """Colours alone; a stream that can show no blocks gets other characters."""
    command = [sys.executable, "-m", "mailmum", "analyze", str(log), *UTC_ZONE]
    env = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, check=True, env=env)
    plain = done.stdout.decode("ascii")
    assert "# stopped  o accepted" in plain
    assert "\\u" not in plain
    assert without_style(plain) == plain


def test_evil_names_stay_text(log: Path) -> None:
    """In every form of the report; none of them is hidden either."""
    events = run(log, "--events", *UTC_ZONE).stdout
    assert events.isascii()
    helos = {json.loads(line)["helo"] for line in events.splitlines()}
    assert helos >= set(EVIL[:3])
    assert run(log, *UTC_ZONE, "--top", 500).stdout.count("<script>") > 0


def test_control_characters(tmp_path: Path) -> None:
    """What would clear the screen or turn the text around is shown as an escape."""
    log = tmp_path / "mail.log"
    line = (
        "Nov 15 10:00:0{} mx1 postfix/smtpd[7]: NOQUEUE: reject: RCPT from unknown[203.0.113.7]: "
        "550 5.1.1 <a@example.net>: Recipient address rejected: User unknown in local recipient "
        "table; from=<x@sender.example> to=<a@example.net> proto=ESMTP helo=<{}>\n"
    )
    log.write_text("".join(line.format(at, EVIL[3 + at]) for at in (0, 1)))
    for words in (("--unrecognised",), ("--json",), ("--events",), ("--html", "-")):
        text = run(log, *UTC_ZONE, *words).stdout
        assert text
        assert all(one.isprintable() for one in text.splitlines()), words


PACKED = {
    "mail.log.gz": gzip.compress,
    "mail.log.xz": lambda data: lzma.compress(data, preset=0),
    "mail.log.bz2": bz2.compress,
    "mail.log.zst": packed,
    "no-name-that-says-so": gzip.compress,
}


@pytest.mark.parametrize("name", sorted(PACKED))
def test_packed(name: str, ledger: Ledger, tmp_path: Path) -> None:
    """Known by what is in them, not by their names."""
    path = tmp_path / name
    path.write_bytes(PACKED[name](ledger.text.encode()))
    told = document(path)
    assert told["lines"] == len(ledger.lines)
    assert told["rbl"] == ledger.hits


def test_standard_input(ledger: Ledger) -> None:
    """Plain and packed."""
    for data in (ledger.text.encode(), gzip.compress(ledger.text.encode())):
        assert document("-", input=data)["rbl"] == ledger.hits


def test_a_pipe_that_has_a_name(log: Path, ledger: Ledger, tmp_path: Path) -> None:
    """It is opened once, and gives its bytes once, beside a file that is looked into first."""
    pipe, half = tmp_path / "pipe", tmp_path / "half.log"
    os.mkfifo(pipe)
    lines = ledger.text.splitlines(keepends=True)
    half.write_text("".join(lines[:9000]))
    rest = tmp_path / "rest"
    rest.write_text("".join(lines[9000:]))
    with subprocess.Popen(["sh", "-c", f"cat {rest} > {pipe}"]):
        told = document(pipe, half)
    assert told["rbl"] == ledger.hits
    assert told["files"] == [str(half), str(pipe)]


def test_several_are_read_oldest_first(ledger: Ledger, tmp_path: Path) -> None:
    """Whatever order a shell lists them in; a message that goes on in the next file is joined."""
    lines = ledger.text.splitlines(keepends=True)
    cuts = [0, 5000, 12003, len(lines)]
    names = ["mail.log.2.gz", "mail.log.1", "mail.log"]
    for at, name in enumerate(names):
        text = "".join(lines[cuts[at] : cuts[at + 1]]).encode()
        (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == names[::-1]
    told = document(*files)
    assert [Path(name).name for name in told["files"]] == names
    assert {word: count for word, count in told["totals"].items() if count} == ledger.outcomes
    assert sum(told["deliveries"].values()) == ledger.outcomes["accepted"]


def test_a_last_line_without_an_end(ledger: Ledger, tmp_path: Path) -> None:
    """It counts, and is not glued to the first line of the next file."""
    lines = ledger.text.splitlines(keepends=True)
    (tmp_path / "a").write_text("".join(lines[:4000]).rstrip("\n"))
    (tmp_path / "b").write_text("".join(lines[4000:]).rstrip("\n"))
    told = document(tmp_path / "a", tmp_path / "b")
    assert told["lines"] == len(lines)
    assert told["rbl"] == ledger.hits


def test_damaged(ledger: Ledger, tmp_path: Path) -> None:
    """What came before it is reported; it is said, and the exit status says it too."""
    path = tmp_path / "mail.log.gz"
    whole = gzip.compress(ledger.text.encode())
    path.write_bytes(whole[: len(whole) // 2])
    result = run(path, "--json", *UTC_ZONE)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert 0 < told["lines"] < len(ledger.lines)
    [problem] = told["damaged"]
    assert "ends before it is complete" in problem
    assert problem in result.stderr
    assert f"note: {problem}" in run(path, *UTC_ZONE).stdout


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["gone.log"], "gone.log cannot be read: No such file or directory; check the path"),
        (["."], ". is a folder; name the logs in it, such as mail.log*"),
        (["notes.txt"], "notes.txt is no mail log: none of 2 lines comes from a mail server"),
        (["notes.txt", "--zone", "Mars/Olympus"], "Mars/Olympus is no time zone"),
        (["notes.txt", "--since", "soon"], "soon is no moment; write 2026-11-20"),
        (["notes.txt", "--own", "a b"], "a b"),
    ],
)
def test_refusals(
    words: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cause and fix, in words and as an object."""
    monkeypatch.chdir(tmp_path)
    Path("notes.txt").write_text("buy milk\ncall the plumber\n")
    result = run(*words)
    assert result.exit_code == 1
    assert problem in result.stderr
    told = json.loads(run(*words, "--json").stdout)
    assert told["error"]["fix"] or "a b" in words


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-", "-"],
        ["-", "--events", "--html", "x.html"],
        ["-", "--json", "--html", "-"],
        ["-", "--days", "7", "--since", "7d"],
        ["-", "--since", "2026-11-20", "--until", "2026-11-19"],
        ["-", "--top", "0"],
    ],
)
def test_usage(words: list[str]) -> None:
    """What contradicts itself."""
    assert run(*words, input=b"").exit_code == 2


def test_one_that_is_no_log_among_others(log: Path, tmp_path: Path) -> None:
    """It is said, and the others are reported; an empty one too."""
    (tmp_path / "notes.txt").write_text("buy milk\n")
    (tmp_path / "empty.log").touch()
    told = document(log, tmp_path / "notes.txt", tmp_path / "empty.log")
    assert [notice.rpartition("/")[2] for notice in told["notices"]] == [
        "notes.txt: none of its 1 lines comes from a mail server",
        "empty.log: it is empty",
    ]
    assert told["sightings"] > 5000


def test_an_empty_log(tmp_path: Path) -> None:
    """As after a rotation: nothing to report, and no failure."""
    (tmp_path / "mail.log").touch()
    for words in ((), ("--json",), ("--html", "-"), ("--events",)):
        assert run(tmp_path / "mail.log", *words).exit_code == 0


def test_a_part_of_the_time(log: Path, ledger: Ledger) -> None:
    """Only contacts of the day; that there were others is said."""
    told = document(log, "--since", "2026-11-17", "--until", "2026-11-17")
    day = [line for line in ledger.lines if line.startswith("Nov 17")]
    assert told["totals"]["unknown-recipient"] == sum("User unknown" in line for line in day)
    assert told["first"][:10] == told["last"][:10] == "2026-11-17"
    assert told["outside"] + told["sightings"] == sum(ledger.outcomes.values())
    nothing = run(log, *UTC_ZONE, "--until", "2020-01-01")
    assert "outside of the chosen time, between Sun 15 Nov 2026 00:00 and" in nothing.stdout
    assert not run(log, *UTC_ZONE, "--until", "2020-01-01", "--events").stdout


def test_top_and_least(log: Path) -> None:
    """Rows in each list; how much is too much."""
    told = document(log, "--top", 3, "--least", 200)
    assert [len(told[name]) for name in ("clients", "networks", "domains")] == [3, 3, 3]
    assert told["block"][0]["target"] == "203.0.113.0/24"
    assert all(one["evidence"]["stopped"] >= 200 for one in told["block"])


def test_lines_that_were_not_understood(tmp_path: Path) -> None:
    """Counted, and shown when asked for."""
    path = tmp_path / "mail.log"
    path.write_text("Nov 15 10:00:00 mx1 postfix/smtpd[7]: a line of the year 2050\n" * 3)
    told = document(path)
    assert (told["lines"], told["unrecognised"]) == (3, 3)
    assert "3 not understood (--unrecognised shows some)" in run(path).stdout
    assert "a line of the year 2050" in run(path, "--unrecognised").stdout


def test_html(log: Path, tmp_path: Path) -> None:
    """A file that is there whole or not at all; beside JSON when that is wanted too."""
    page = tmp_path / "report.html"
    result = run(log, "--html", page, *UTC_ZONE)
    assert result.stdout == f"wrote {page}\n"
    assert page.read_text() == run(log, "--html", "-", *UTC_ZONE).stdout
    assert document(log, "--html", page)["lines"] > 0
    refused = run(log, "--html", tmp_path / "nowhere" / "x.html")
    assert refused.exit_code == 1
    assert "cannot be written: No such file or directory" in refused.stderr
    assert sorted(tmp_path.iterdir()) == [page]


_MANY = 55_000
_WRITER = """
import sys
for number in range(int(sys.argv[1])):
    client = f"2001:db8:{number >> 16:x}:{number & 0xffff:x}::1"
    who = f"host-{number}.pool{number % 9999}.example[{client}]"
    minute = number // 30
    at = f"Nov {15 + minute // 1440} {minute // 60 % 24:02d}:{minute % 60:02d}:{number % 60:02d}"
    head = f"{at} mx1 postfix/smtpd[{number % 30000 + 2}]:"
    print(f"{head} connect from {who}")
    print(
        f"{head} NOQUEUE: reject: RCPT from {who}: 554 5.7.1 Service unavailable; Client host "
        f"[{client}] blocked using zen.dnsbl.example; x; from=<a{number}@sender.example> "
        f"to=<b@example.net> proto=ESMTP helo=<h{number}.example>"
    )
    print(f"{head} disconnect from {who} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4")
"""


# Runs a command and tells its peak of memory in KiB.  A process is charged with what its parent
# held when it was forked, and that of a test may be large.
_MEASURED = """
import resource, subprocess, sys

done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
raise SystemExit(done.returncode)
"""


def test_memory_is_bounded() -> None:
    """More clients than are kept, none of which comes twice: below 200 MB, no contact lost."""
    write = [sys.executable, "-c", _WRITER, str(_MANY)]
    command = [sys.executable, "-c", _MEASURED, sys.executable, "-m", "mailmum", "analyze"]
    with subprocess.Popen(write, stdout=subprocess.PIPE) as writer:
        reader = subprocess.run(
            [*command, "--json", "-"], stdin=writer.stdout, capture_output=True, check=True
        )
    told, used = json.loads(reader.stdout), int(reader.stderr.split()[-1])
    assert told["totals"]["rejected"] == told["rbl"]["zen.dnsbl.example"] == _MANY
    assert told["known"]["clients"] == _MANY
    assert told["forgotten"] > 0
    assert used < 200 * 1024
