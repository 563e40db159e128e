"""What is wrong with an account's set-up and how to mend it, as the service sees it.

The command line adds what only the mail server's own machine can tell.
"""

import shlex
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime

from mailmum import compiled
from mailmum.control import config
from mailmum.control.accounts.access import Reading
from mailmum.control.alerts.comparing import manner_of
from mailmum.control.doctor_logs import log_findings
from mailmum.control.doctor_triggers import trigger_findings
from mailmum.control.feeds.queries import list_feeds
from mailmum.control.journal.moments import spoken
from mailmum.control.listings.queries import explain
from mailmum.control.monitor import silence
from mailmum.control.monitor.silence import Pulse
from mailmum.control.servers.models import Server
from mailmum.control.servers.pauses import Pause, pauses_of
from mailmum.control.servers.queries import find_server, servers_of
from mailmum.control.traffic import health, tallies
from mailmum.control.traffic.queries import barred_use, revoked_uses
from mailmum.control.traffic.reading import tolerant
from mailmum.control.traffic.rewriting import progress_of
from mailmum.control.witnesses.asking import health_of, witnesses_of
from mailmum.daemons.dnsd_trace import recent_crash
from mailmum.dns.witness import SAYS, State
from mailmum.domain.clients import parse_subject
from mailmum.domain.listings import Action
from mailmum.traffic.sightings import Source

LATELY = 86_400
"""Seconds in which something that went wrong is told."""
SCARCE = 128 * 2**20
"""Bytes; less on a disk is told."""
_BACK = "bring it back: see traffic above"
LOOPBACK = ("127.", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: `state` is ok, warn or fail."""

    name: str
    state: str
    message: str
    fix: str = ""


def checks(reading: Reading, server: str = "") -> list[dict[str, str]]:
    """Findings about the account, or about one server.

    Raises:
        NotFound: no such server.
    """
    servers = [find_server(reading, server)] if server else list(servers_of(reading))
    found = [_engine(), *_room(), *_account(reading, servers), *_feeds(reading)]
    away = health.problem()
    found += _traffic_away(away, servers) if away else []
    found += tolerant(lambda: list(_counts()), [])
    asking, logging = (_pulses(reading, servers, one) for one in (silence.ASKING, silence.LOGS))
    for one in servers:
        found += _asks(one, asking.get(one.pk))
        found += _server(reading, one)
    found += [Finding(*one) for one in log_findings(reading, servers, config.current())]
    for one in servers:
        found += _is_logged(one, logging.get(one.pk))
    if not server:
        found += _lists(reading)
        found += [Finding(*one) for one in trigger_findings(reading, time.time(), bool(away))]
        found += _standing_still() if away else []
        found += tolerant(lambda: list(_privacy(reading)), [])
    return [asdict(finding) for finding in found]


def _engine() -> Finding:
    parameters = config.current()
    if parameters.engine == "python":
        return Finding("dns engine", "ok", "Python answers DNS, as the setting engine says")
    crashed = recent_crash(parameters.crash_path)
    if crashed is not None:
        return Finding(
            "dns engine",
            "warn",
            f"Python answers DNS instead of the compiled engine: {crashed}",
            "report the trace in that file; mail is not affected",
        )
    found, reason = compiled.load()
    if found is not None:
        return Finding("dns engine", "ok", "the compiled engine answers DNS")
    # Fast enough for any one mail server, so nothing is wrong.
    return Finding(
        "dns engine",
        "ok",
        f"Python answers DNS; the compiled engine is not there ({reason}): to have it, install "
        "gcc, libc6-dev and python3-dev, run script/bootstrap and start again",
    )


def _room() -> Iterator[Finding]:
    """Whether there is room on the disk: what waits for it is kept in memory, then lost."""
    free = shutil.disk_usage(config.current().data).free
    if free < SCARCE:
        yield Finding(
            "disk",
            "fail" if free < SCARCE // 8 else "warn",
            f"{free // 2**20} MiB are left on the disk of the service's data; once it is full no "
            "change is taken and nothing that is observed is kept, while answers go on",
            "make room on it",
        )


def _traffic_away(reason: str, servers: list[Server]) -> Iterator[Finding]:
    """What was seen cannot be read or kept: all that asks for it says nothing otherwise."""
    yield Finding(
        "traffic",
        "fail",
        f"the database of traffic cannot be used ({reason}), so triggers list nobody, and what "
        "is seen waits in memory for about an hour; answers and changes go on",
        "bring it back; if the file is damaged, stop the service, put one from a backup in its "
        "place or move traffic.sqlite3, its -wal and -shm away, and start: it begins anew",
    )
    for server in servers:
        yield Finding(
            f"server {server.name}",
            "warn",
            "whether it asks is not known while the database of traffic is away",
            _BACK,
        )


def _standing_still() -> Iterator[Finding]:
    """What goes by what was seen, beside triggers."""
    yield Finding(
        "suggestions and report",
        "warn",
        "they stand as they were before the database of traffic was away",
        _BACK,
    )
    yield Finding(
        "alerts",
        "warn",
        "nobody is told of silent servers and of whatever else only traffic shows; other alerts "
        "are told as ever",
        _BACK,
    )


def _account(reading: Reading, servers: list[Server]) -> Iterator[Finding]:
    parameters = config.current()
    account = reading.account
    if not account.is_active(time.time()):
        yield Finding(
            "account",
            "fail",
            "the account is suspended or has expired, so nothing is listed",
            "ask the operator of this service",
        )
    names = {"", *(server.name for server in servers)}
    yield from (_paused(one) for one in pauses_of(reading, time.time()) if one.server in names)
    if not servers:
        yield Finding(
            "servers", "warn", "there is no mail server yet", "add one: mailmum server add NAME"
        )
    if parameters.base_url.startswith("http://") and not any(
        parameters.web.strip("[").startswith(name) for name in LOOPBACK
    ):
        yield Finding(
            "web",
            "warn",
            "pages are served without TLS beyond this machine",
            "put a proxy with TLS before them and set public_url",
        )
    if parameters.base_url.startswith("http://127."):
        yield Finding(
            "public_url",
            "warn",
            "links in replies lead to this machine only, so rejected senders cannot follow them",
            "set public_url to an address that the Internet reaches",
        )


def _privacy(reading: Reading) -> Iterator[Finding]:
    """Whether more is still kept of mail addresses than the account wants."""
    progress = progress_of(reading.account.pk)
    if progress is not None:
        reached = progress.reached
        far = "not begun yet" if reached is None else f"done up to {spoken(reached)}"
        yield Finding(
            "privacy",
            "ok",
            f"what was kept of mail addresses before the change is being rewritten: {far}",
        )


def _paused(pause: Pause) -> Finding:
    whole = not pause.server
    until = "somebody resumes it" if pause.until is None else spoken(pause.until)
    command = "mailmum resume" if whole else f"mailmum server resume {pause.server}"
    return Finding(
        "account" if whole else f"server {pause.server}",
        "warn",
        f"blocking is paused until {until}: nothing is blocked",
        f"when it may block again: {command}",
    )


def _feeds(reading: Reading) -> Iterator[Finding]:
    """Feeds that cannot be refreshed, and those of which an update waits for a person."""
    for one in list_feeds(reading):
        verb = "provider" if one["kind"] == "spf" else "feed"
        name, quoted = f"{verb} {one['name']}", shlex.quote(one["name"])
        if one["state"] == "idle":
            yield Finding(
                name,
                "warn",
                f"is for the server {one['scope']}, which was removed, so it holds nowhere",
                f"have it hold elsewhere: mailmum {verb} edit {quoted} --server ...; or remove it: "
                f"mailmum {verb} remove {quoted}",
            )
        elif one["failing"] is not None and one["state"] != "paused":
            since = spoken(datetime.fromisoformat(one["failing"]))
            yield Finding(
                name,
                "fail" if one["entries"] == 0 else "warn",
                f"cannot be refreshed since {since}: {one['problem']}",
                f"when that is mended: mailmum {verb} refresh {quoted}",
            )
        if one["state"] == "held":
            yield Finding(
                name,
                "warn",
                "an update is held back, since it looks wrong",
                f"look at it: mailmum {verb} show {quoted}; then: mailmum {verb} release {quoted}",
            )


def _lists(reading: Reading) -> Iterator[Finding]:
    """Public RBLs that are asked and not believed."""
    for zone, heard in sorted(health_of(one.zone for one in witnesses_of(reading)).items()):
        state = State(heard.state)
        if not state.believed:
            yield Finding(
                f"rbl {zone}",
                "warn",
                f"it is not believed since {spoken(heard.since)}: {SAYS[state]}",
                "if a mail server of yours uses it, take it out there; to ask it no more: "
                f"mailmum rbl remove {zone}",
            )


def _own_addresses(reading: Reading, server: Server) -> Iterator[Finding]:
    """Guards look when something is listed; a server may get to know its addresses later."""
    for text in server.addresses:
        because = explain(reading, parse_subject(text), server).because
        if because is not None and because.action == Action.BLOCK:
            yield Finding(
                f"server {server.name}",
                "fail",
                f"its own address {text} is blocked by the listing of {because.target}",
                f"allow it: mailmum allow {text} --force",
            )


def _counts() -> Iterator[Finding]:
    """Whether what is observed reaches the database, all of it."""
    now = time.time()
    for process in tallies.silent(now):
        yield Finding(
            "counts",
            "warn",
            f"nothing that the part {process.part} on {process.host} counts has been stored since "
            f"{spoken(process.seen)}",
            "see that it runs and that it can write the database of traffic; its log says more",
        )
    lost = tallies.losses(now - LATELY)
    if lost:
        told = ", ".join(f"{one.key.removeprefix('lost/')} {one.count}" for one in lost)
        yield Finding(
            "counts",
            "warn",
            f"some of what was observed has been lost, the last at "
            f"{spoken(max(one.last for one in lost))} (so far: {told})",
            "the log of the DNS and the policy part says when and why; answers were not touched",
        )


def _pulses(
    reading: Reading, servers: list[Server], sources: frozenset[Source]
) -> dict[int, Pulse]:
    """How servers are as far as these sources tell; nothing when traffic cannot be read."""
    numbers, quiet = [one.pk for one in servers], manner_of(reading.account).silent_after
    return tolerant(lambda: silence.pulses(reading, numbers, quiet=quiet, sources=sources), {})


def _asks(server: Server, pulse: Pulse | None) -> Iterator[Finding]:
    name = f"server {server.name}"
    if pulse is None:
        return
    if pulse.last is None:
        yield Finding(
            name,
            "warn",
            "has not asked yet",
            f"set Postfix up: mailmum postfix setup --server {server.name}",
        )
    elif pulse.state is silence.State.WORKS:
        yield Finding(name, "ok", f"asked at {spoken(pulse.last)}")
    else:
        yield Finding(
            name,
            "warn",
            f"has not asked since {_long_ago(pulse.state, pulse.last)}",
            "check its resolver and that Postfix still has the lines",
        )


def _is_logged(server: Server, pulse: Pulse | None) -> Iterator[Finding]:
    if pulse is None or pulse.last is None or pulse.state is silence.State.WORKS:
        return
    yield Finding(
        f"server {server.name}",
        "warn",
        f"nothing has come from its log since {_long_ago(pulse.state, pulse.last)}",
        "check that its mail system still logs there, and that the log is followed",
    )


def _long_ago(state: silence.State, last: float) -> str:
    """Since when nothing came, and what is known of how long that is."""
    if state is silence.State.SILENT:
        return f"{spoken(last)}, which is long for it"
    return f"{spoken(last)}; whether that is long for it is not known"


def _server(reading: Reading, server: Server) -> Iterator[Finding]:
    name, now = f"server {server.name}", time.time()
    for use in revoked_uses(server.pk):
        yield Finding(
            name,
            "fail" if now - use.last < LATELY else "warn",
            f"a revoked key (…{use.key[-4:]}) was still used at {spoken(use.last)}",
            f"put the new zones into Postfix: mailmum postfix setup --server {server.name}",
        )
    barred = barred_use(server.pk)
    if barred is not None and now - barred.last < LATELY:
        yield Finding(
            name,
            "warn",
            f"{barred.sender} asked at {spoken(barred.last)} and was refused: it may not",
            "if that is its resolver, let it: mailmum server edit "
            f"{server.name} --asked-from ...; else the key has got about: rotate it",
        )
    yield from _own_addresses(reading, server)
    if not server.addresses:
        yield Finding(
            name,
            "warn",
            "its own addresses are not known, so nothing keeps them from being listed",
            f"add them: mailmum server edit {server.name} --address ...",
        )
