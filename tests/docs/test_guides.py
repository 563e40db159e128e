"""The guides, each followed from its beginning to its end."""

import gzip
import os
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.docs.guide import language, needs, reader
from tests.docs.markdown import ROOT, matches
from tests.support.maillog import week
from tests.support.postfix import postfix
from tests.support.postfix_dns import Zone, name_server
from tests.support.service import service
from tests.support.smtp import Visitor

GUIDES = ROOT / "docs" / "guides"
THIRD = "rbl.third.example"
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
    end = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)
