"""The guides, each followed from its beginning to its end."""

import gzip
import os
import re
import socket as sockets
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC
from pathlib import Path

import pytest

from mailmum.postfix.log.reader import LogReader, Settings
from tests.docs.guide import language, needs, reader
from tests.docs.markdown import ROOT, matches
from tests.support.https import Answer, Asked, Write, https_site, text
from tests.support.mail_sink import mail_sink
from tests.support.maillog import week
from tests.support.nameserver import name_server as spf_names
from tests.support.ports import free_port
from tests.support.postfix import postfix
from tests.support.postfix_dns import Zone, name_server
from tests.support.process import running as child
from tests.support.service import MAILMUM, Service, service
from tests.support.smtp import Visitor

pytestmark = pytest.mark.both

GUIDES = ROOT / "docs" / "guides"
THIRD = "rbl.third.example"
SEEN = (
    "2026-11-26T11:00:07+00:00 mx1 postfix/smtpd[4711]: NOQUEUE: reject: RCPT from "
    "unknown[203.0.113.7]: 554 5.7.1 Service unavailable; Client host [203.0.113.7] blocked using "
    "bl.example; from=<a@sender.example> to=<b@example.net> proto=ESMTP helo=<x.example>\n"
)
CUSTOMER, BLOCKED = "198.51.100.25", "203.0.113.7"


def scratch(folder: Path) -> Path:
    """An empty folder for a reader."""
    made = folder / "reader"
    made.mkdir()
    return made


def test_blocking(tmp_path: Path) -> None:
    """Every command, also those of Postfix about tables of its own."""
    needs("postmap", "dig")
    config = tmp_path / "postfix"
    config.mkdir()
    (config / "main.cf").write_text("compatibility_level = 3.6\n")
    with (
        service(tmp_path) as running,
        reader(
            GUIDES / "blocking.md",
            running,
            scratch(tmp_path),
            environment={"MAIL_CONFIG": str(config)},
        ) as guide,
    ):
        assert guide.follow() > 20


def test_allowing(tmp_path: Path) -> None:
    """A client that a public RBL lists is rejected as shown, and let in by what is shown."""
    needs("postfix", "postconf")
    third = Zone(THIRD)
    third.list_address(CUSTOMER)
    lists = {
        "smtpd_recipient_restrictions": "permit_mynetworks, reject_unauth_destination, "
        f"reject_rbl_client {THIRD}"
    }
    with (
        service(tmp_path) as running,
        name_server(third, forwards={"mailmum.internal": running.dns}) as dns,
        postfix(dns.address, lists) as server,
        reader(
            GUIDES / "allowing.md",
            running,
            scratch(tmp_path),
            environment={"MAIL_CONFIG": str(server.config)},
        ) as guide,
    ):
        assert server.deliver(Visitor(CUSTOMER)).code == 554
        log = server.await_log(lambda log: "NOQUEUE: reject" in log)
        assert matches(language(guide.path, "log")[0].text, logged(log))
        assert guide.follow() > 12
        server.reload()
        assert server.deliver(Visitor(CUSTOMER)).code == 250
        assert server.deliver(Visitor("198.51.100.26")).code == 554


def test_importing(tmp_path: Path) -> None:
    """Files that the guide writes, read as it says; what is exported is what Postfix reads."""
    needs("postmap")
    config = tmp_path / "postfix"
    config.mkdir()
    (config / "main.cf").write_text("compatibility_level = 3.6\n")
    with (
        service(tmp_path) as running,
        reader(
            GUIDES / "importing.md",
            running,
            scratch(tmp_path),
            environment={"MAIL_CONFIG": str(config)},
        ) as guide,
    ):
        assert guide.follow() > 15


def test_analyzing(tmp_path: Path) -> None:
    """A week of log, as logrotate leaves it; what the guide acts on reaches the service."""
    logs = tmp_path / "logs"
    logs.mkdir()
    lines = week().text.splitlines(keepends=True)
    parts = {
        "mail.log.2.gz": lines[:9000],
        "mail.log.1": lines[9000:18000],
        "mail.log": lines[18000:],
    }
    for name, part in parts.items():
        data = "".join(part).encode()
        (logs / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        os.utime(logs / name, (1_795_300_000, 1_795_300_000))
    with (
        service(tmp_path) as running,
        reader(
            GUIDES / "analyzing.md", running, scratch(tmp_path), environment={"TZ": "Europe/Berlin"}
        ) as guide,
    ):
        guide.places["/var/log"] = str(logs)
        assert guide.follow() > 8


def test_api(tmp_path: Path) -> None:
    """Every request of the guide, with curl."""
    needs("curl")
    with (
        service(tmp_path) as running,
        reader(GUIDES / "api.md", running, scratch(tmp_path)) as guide,
    ):
        assert guide.follow() > 15


def test_every_error_of_the_api_is_told() -> None:
    """The table in the guide has the codes and statuses that the API answers."""
    from mailmum.api.errors import STATUS

    text = (GUIDES / "api.md").read_text()
    told = {
        code: int(status) for status, code in re.findall(r"^\| (\d{3}) \| `([a-z-]+)`", text, re.M)
    }
    assert told == STATUS


def test_policy(tmp_path: Path) -> None:
    """A real Postfix obeys with the next message, and goes on when the service is away."""
    needs("postfix", "postconf")
    with (
        name_server() as dns,
        postfix(dns.address) as server,
        ExitStack() as stack,
    ):
        running = stack.enter_context(service(tmp_path))
        guide = stack.enter_context(
            reader(
                GUIDES / "policy.md",
                running,
                scratch(tmp_path),
                environment={"MAIL_CONFIG": str(server.config)},
            )
        )
        shown = language(guide.path, "log")[0]
        guide.follow(until=shown)
        # An smtpd that lives on for many sessions, as it does by default.
        server.configure(max_use="100")
        server.reload()
        until(lambda: server.deliver(Visitor(BLOCKED)).code == 554)
        log = server.await_log(lambda log: "NOQUEUE: reject" in log)
        assert matches(shown.text, guide.told(logged(log)))
        guide.follow(after=shown)
        until(lambda: server.deliver(Visitor(BLOCKED)).code == 250)
        running.run("block", BLOCKED)
        until(lambda: server.deliver(Visitor(BLOCKED)).code == 554)
        assert running.child is not None
        running.child.stop()
        assert server.deliver(Visitor(BLOCKED)).code == 250


def logged(log: str) -> str:
    """The first reject in a mail log, as documents show it: without date and process id."""
    line = next(line for line in log.splitlines() if "NOQUEUE: reject" in line)
    return re.sub(r"^.*? postfix/smtpd\[\d+\]", "postfix/smtpd[4711]", line)


def until(is_so: Callable[[], bool]) -> None:
    """Wait until a change has got through, which takes some milliseconds."""
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def test_monitoring(tmp_path: Path) -> None:
    """A log that is followed, lines that are posted; and the token that the guide makes."""
    needs("curl")
    log = tmp_path / "mail.log"
    log.write_text(SEEN)
    with (
        service(tmp_path, "--log", f"mx1={log}") as running,
        reader(GUIDES / "monitoring.md", running, scratch(tmp_path)) as guide,
    ):
        guide.places["mx1=/var/log/mail.log"] = f"mx1={log}"
        status = running.data / "collect.json"
        running.eventually(lambda: status.exists() and "no server mx1" in status.read_text())
        guide.handlers["mailmum doctor"] = lambda command: followed(running, command)
        assert guide.follow() > 5


def test_triggers(tmp_path: Path) -> None:
    """An attack is handed in, tried on, and listed by itself."""
    needs("curl")
    with (
        service(tmp_path) as running,
        reader(GUIDES / "triggers.md", running, scratch(tmp_path)) as guide,
    ):
        assert guide.follow() > 15


def followed(running: Service, command: str) -> str:
    """What the doctor says once the log has been read; a server that is added is soon found."""
    end = time.monotonic() + 30
    while True:
        done = subprocess.run(
            [MAILMUM, *command.split()[1:]],
            env=running.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if "read at" in done.stdout or time.monotonic() > end:
            return next(line for line in done.stdout.splitlines() if "its log" in line)
        time.sleep(0.5)


def test_alerts(tmp_path: Path) -> None:
    """Mail reaches a mail server; what is set is set."""
    with (
        mail_sink() as sink,
        service(
            tmp_path,
            smtp_host="127.0.0.1",
            smtp_port=str(sink.port),
            mail_from="mailmum@rbl.example.net",
        ) as running,
        reader(GUIDES / "alerts.md", running, scratch(tmp_path)) as guide,
    ):
        assert guide.follow() > 6
        [got] = sink.messages(1)
    assert got["To"] == "oncall@example.net"


def test_rbls(tmp_path: Path) -> None:
    """A list that works, through a resolver of the test's own."""
    third = Zone(THIRD)
    for listed in (CUSTOMER, "127.0.0.2"):
        third.list_address(listed)
    with (
        name_server(third) as dns,
        service(tmp_path, rbl_resolver=f"{dns.address}:53") as running,
        reader(GUIDES / "rbls.md", running, scratch(tmp_path)) as guide,
    ):
        assert guide.follow() > 6


def test_suggestions(tmp_path: Path) -> None:
    """What can be run without waiting for an hour; the table has every kind."""
    from mailmum.control.suggestions.ideas import KINDS

    with (
        service(tmp_path) as running,
        reader(GUIDES / "suggestions.md", running, scratch(tmp_path)) as guide,
    ):
        assert guide.follow() == 1
    text = (GUIDES / "suggestions.md").read_text()
    assert tuple(re.findall(r"^\| `([a-z-]+)`", text, re.M)) == KINDS


def test_every_kind_of_alert_is_told() -> None:
    """The table in the guide has the words that channels are chosen by."""
    from mailmum.control.alerts.watches import KINDS

    text = (GUIDES / "alerts.md").read_text().partition("They stand in the pages")[0]
    assert tuple(re.findall(r"^\| `([a-z-]+)`", text, re.M)) == KINDS


def test_rsyslog(tmp_path: Path) -> None:
    """Two real ones, with what the guide shows, from the syslog socket of one to our reader."""
    needs("rsyslogd", "logger")
    sender, receiver = (block.text for block in language(GUIDES / "monitoring.md", "rsyslog"))
    port, remote = str(free_port("tcp")), tmp_path / "remote"
    for shown, ours in {"192.0.2.53": "127.0.0.1", '"6514"': f'"{port}"'}.items():
        sender, receiver = sender.replace(shown, ours), receiver.replace(shown, ours)
    receiver = receiver.replace("/var/log/remote", str(remote))
    socket = tmp_path / "log.sock"
    around = (
        f'global(workDirectory="{tmp_path}")\nmodule(load="imuxsock" SysSock.Use="off")\n'
        f'input(type="imuxsock" Socket="{socket}")\n'
    )
    with (
        child(rsyslogd(tmp_path, "receiver", receiver), lambda: listens(int(port))),
        child(rsyslogd(tmp_path, "sender", around + sender), socket.exists),
    ):
        tag = "postfix/smtpd[4711]"
        text = SEEN.partition(f"{tag}: ")[2].strip()
        for facility in ("mail.info", "daemon.info"):
            subprocess.run(["logger", "-u", socket, "-p", facility, "-t", tag, text], check=True)
        until(lambda: any(remote.glob("*.log")))
        [written] = remote.glob("*.log")
        log_reader = LogReader(Settings(now=time.time(), zone=UTC, hold=None))
        until(lambda: written.stat().st_size > 0)
        found = log_reader.feed(written.read_bytes())
    assert [one.client for one in found.sightings] == ["203.0.113.7"]
    assert (log_reader.lines, log_reader.unrecognised) == (1, 0)
    assert abs(found.sightings[0].time - time.time()) < 60


def rsyslogd(folder: Path, name: str, text: str) -> list[str | Path]:
    """How one is started in the foreground with this configuration."""
    config = folder / f"{name}.conf"
    config.write_text(text)
    return ["rsyslogd", "-n", "-f", config, "-i", folder / f"{name}.pid"]


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with closing(sockets.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_feeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists from a real HTTPS server, and a provider's record from a real name server."""
    with https_site(tmp_path) as site, spf_names() as names, ExitStack() as stack:
        monkeypatch.setenv("SSL_CERT_FILE", str(site.authority))
        running = stack.enter_context(service(tmp_path, reach="localhost", resolver=names.endpoint))
        guide = stack.enter_context(reader(GUIDES / "feeds.md", running, scratch(tmp_path)))
        guide.places["lists.example/"] = f"localhost:{site.port}/"
        large = [f"203.0.113.{number}" for number in range(100)]
        site.answers["/drop.txt"] = text(
            b"198.51.100.0/24\n10.1.0.0/16\n.spam.example\n2001:db8:bad::/48\n"
        )
        site.answers["/large.txt"] = in_turn(large, large[:10])
        names.spf(webmail="v=spf1 include:_nets.example ip4:192.0.2.7 ~all")
        names.spf(_nets="v=spf1 ip4:192.0.2.64/26 -all")
        partner = [f"203.0.113.{number}\n" for number in range(100, 160)]
        (tmp_path / "reader" / "partner.txt").write_text("".join(partner))
        assert guide.follow() > 15


def in_turn(*lists: list[str]) -> Answer:
    """One list after the other, then the last again."""
    left = [text("\n".join(lines).encode()) for lines in lists]

    def answer(asked: Asked, write: Write) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(asked, write)

    return answer
