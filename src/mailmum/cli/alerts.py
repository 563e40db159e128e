"""`alerts list | acknowledge`, the channels, `alerts habits` and `alerts report`."""

from datetime import UTC
from shlex import quote
from typing import Any

import click

from mailmum.cli.client import segment
from mailmum.cli.failures import Failure
from mailmum.cli.output import moment_text, print_json, print_json_list, print_rows, say, warn
from mailmum.cli.session import Session, common, pass_session
from mailmum.cli.visible import visible
from mailmum.cli.zones import find_zone, local_zone, zone_name

_HABITS = {
    "zone": "time zone of the quiet hours, the report and the times in mail",
    "quiet_from": "when quiet hours begin, 22:00 for example",
    "quiet_until": "when they end",
    "digest": "seconds for which alerts are gathered before they are told",
    "silent_after": "seconds that any server may be silent",
    "spike_times": "how many times the usual is a spike",
    "spike_least": "contacts in an hour below which nothing is a spike",
    "accepted_least": "accepted messages from which on a listed sender is worth an alert",
    "report_day": "weekday of the report, 0 for Monday",
    "report_hour": "its hour",
}
_CLOCK = {"quiet_from", "quiet_until", "report_day", "report_hour"}
_name = click.argument("name")


@click.group(short_help="Show alerts, and say whom to tell.")
@common
def alerts() -> None:
    """Show what is out of the ordinary, and say who is told, how and when."""


@alerts.command("list")
@click.option("--past", is_flag=True, help="Those that are over.")
@common
@pass_session
def list_(session: Session, *, past: bool) -> None:
    """List the alerts that are open, the latest first."""
    found = session.client().pages("/alerts", "alerts", past=past)
    if session.as_json:
        print_json_list(found)
        return
    rows = (
        [
            str(one["id"]),
            one["severity"],
            moment_text(one["since"]),
            one["text"],
            _state(one),
        ]
        for one in found
    )
    none = "no alert is over yet" if past else "no alert is open"
    print_rows(("Alert", "Severity", "Since", "What", "State"), rows, none=none)


@alerts.command()
@click.argument("alert", type=click.IntRange(1))
@common
@pass_session
def acknowledge(session: Session, alert: int) -> None:
    """Note that somebody has seen an alert; it stays open for as long as it holds."""
    one = session.client().send("POST", f"/alerts/{alert}/acknowledge")
    if session.as_json:
        print_json(one)
        return
    say(f"acknowledged: {one['text']}")


@alerts.command()
@common
@pass_session
def channels(session: Session) -> None:
    """List where alerts are told."""
    found = session.client().get("/alerts/channels")["channels"]
    if session.as_json:
        print_json_list(found)
        return
    rows = (
        [
            one["name"],
            one["kind"],
            one["target"],
            _from(one),
            ", ".join(one["kinds"]) or "all kinds",
            "yes" if one["reports"] else "no",
            _fares(one),
        ]
        for one in found
    )
    none = "nobody is told yet; add somebody: mailmum alerts add NAME TARGET"
    print_rows(("Name", "Kind", "Target", "From", "Kinds", "Report", "State"), rows, none=none)


@alerts.command()
@_name
@click.argument("target")
@click.option(
    "--least",
    default="notice",
    metavar="SEVERITY",
    show_default=True,
    help="Tell of alerts of this severity and graver: notice, warning or critical.",
)
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="Tell of this kind only; repeatable."
)
@click.option("--report", is_flag=True, help="Send the weekly report there, too.")
@common
@pass_session
def add(
    session: Session, name: str, target: str, least: str, kinds: tuple[str, ...], *, report: bool
) -> None:
    """Tell somebody: TARGET is an e-mail address, or the https URL of a webhook."""
    is_url = "://" in target
    if not is_url and "@" not in target:
        raise Failure(
            f"{visible(target)} is neither an e-mail address nor a URL",
            "write for example oncall@example.net, or https://hook.example/mailmum",
            code="bad-input",
        )
    kind = "webhook" if is_url else "email"
    body = {
        "name": name,
        "kind": kind,
        "target": target,
        "least": least,
        "kinds": list(kinds),
        "reports": report,
    }
    made = session.client().send("POST", "/alerts/channels", body)
    if session.as_json:
        print_json(made)
        return
    say(f"added: {made['name']} ({made['kind']} to {made['target']})")
    if made["secret"]:
        say(f"  signed with {made['secret']}")
    say(f"next: mailmum alerts test {quote(made['name'])}")


@alerts.command()
@_name
@click.option("--name", "new_name", metavar="NEW", help="Call it by another name.")
@click.option("--target", metavar="TARGET", help="Another address, or another URL of a webhook.")
@click.option("--least", metavar="SEVERITY", help="Tell of this severity and graver.")
@click.option(
    "--kind", "kinds", multiple=True, metavar="KIND", help="Tell of this kind only; repeatable."
)
@click.option("--all-kinds", is_flag=True, help="Tell of all kinds again.")
@click.option("--report/--no-report", default=None, help="Send the weekly report there, or not.")
@common
@pass_session
def edit(
    session: Session,
    /,
    name: str,
    new_name: str | None,
    kinds: tuple[str, ...],
    *,
    all_kinds: bool,
    report: bool | None,
    **given: str | None,
) -> None:
    """Change who is told, or of what; options left out keep their value.

    The key of a webhook stays. What waits to be sent goes to the new address, which is told of the
    alerts that are open, too.
    """
    if kinds and all_kinds:
        raise click.UsageError("--kind and --all-kinds exclude each other.")
    wanted: dict[str, Any] = {"name": new_name, "reports": report, **given}
    body = {field: value for field, value in wanted.items() if value is not None}
    if kinds or all_kinds:
        body["kinds"] = list(kinds)
    if not body:
        raise click.UsageError("Say what to change, for example with --target or --least.")
    made = session.client().send("PATCH", _path(name), body)
    if session.as_json:
        print_json(made)
        return
    say(f"changed: {made['name']} ({_told(made)})")
    if "target" in body:
        say(f"next: mailmum alerts test {quote(made['name'])}")


@alerts.command("rotate-key")
@_name
@common
@pass_session
def rotate_key(session: Session, name: str) -> None:
    """Give a webhook a new key; everything is signed by it from now on."""
    made = session.client().send("POST", f"{_path(name)}/rotate-key")
    if session.as_json:
        print_json(made)
        return
    say(f"new key: {made['name']} is signed with {made['secret']}")


@alerts.command()
@_name
@common
@pass_session
def test(session: Session, name: str) -> None:
    """Send a message that says that it is a test, and tell whether it was taken."""
    done = session.client().send("POST", f"{_path(name)}/test")
    if session.as_json:
        print_json(done)
    if not done["sent"]:
        fix = f"correct it with: mailmum alerts edit {quote(name)}, then try again"
        raise Failure(f"it was not taken: {done['error']}", fix)
    if not session.as_json:
        say("sent: the other side has taken it")


@alerts.command()
@_name
@common
@pass_session
def remove(session: Session, name: str) -> None:
    """Tell somebody no longer."""
    session.client().send("DELETE", _path(name))
    if session.as_json:
        print_json({"removed": name})
        return
    say(f"removed: {name}")


@alerts.command()
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
@common
@pass_session
def habits(session: Session, settings: tuple[str, ...]) -> None:
    """Show or change when and from which size on the account is told."""
    client = session.client()
    found = client.get("/alerts/habits")
    given = _given(settings, found)
    if given:
        found = client.send("PUT", "/alerts/habits", {**found, **given})
        _warn_of_utc(given, found["zone"])
    if session.as_json:
        print_json(found)
        return
    rows = ([name, str(found[name]), meaning] for name, meaning in _HABITS.items())
    print_rows(("Name", "Value", "Meaning"), rows, none="")


@alerts.command()
@click.option("--days", default=7, show_default=True, metavar="7", help="Of how many days.")
@common
@pass_session
def report(session: Session, days: int) -> None:
    """Print what was stopped, by what, what changed and what to review."""
    found = session.client().get("/alerts/report", days=days)
    if session.as_json:
        del found["text"]
        print_json(found)
        return
    for line in found["text"].splitlines():
        say(line)


def _told(one: dict[str, Any]) -> str:
    kinds = f", only {', '.join(one['kinds'])}" if one["kinds"] else ""
    report = ", with the weekly report" if one["reports"] else ""
    return f"{one['kind']} to {one['target']}, {_from(one)}{kinds}{report}"


def _from(one: dict[str, Any]) -> str:
    return "critical" if one["least"] == "critical" else f"{one['least']} and graver"


def _path(name: str) -> str:
    if not name or name.strip(".") == "" or "/" in name:
        raise Failure(f"there is no channel {name!r}", "see: mailmum alerts channels")
    return f"/alerts/channels/{segment(name)}"


def _given(settings: tuple[str, ...], present: dict[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for one in settings:
        name, equals, value = one.partition("=")
        if not equals or name not in _HABITS:
            raise click.UsageError(f"{one!r} is no NAME=VALUE; NAME is one of {', '.join(_HABITS)}")
        if isinstance(present[name], int):
            if not (value.isascii() and value.isdigit() and len(value) < 10):
                raise click.UsageError(f"{name} takes a number")
            given[name] = int(value)
        else:
            given[name] = value
    return given


def _warn_of_utc(given: dict[str, Any], zone: str) -> None:
    """Who sets a time of day means the own clock, and the zone begins as UTC."""
    here = zone_name(local_zone())
    if (
        "zone" in given
        or not _CLOCK & given.keys()
        or zone != "UTC"
        or find_zone(here) in (None, UTC)
    ):
        return
    warn(f"that is in UTC; in the zone of this machine with: mailmum alerts habits zone={here}")


def _state(one: dict[str, Any]) -> str:
    if one["closed"]:
        return f"over since {moment_text(one['closed'])}"
    return f"seen by {one['acknowledged_by']}" if one["acknowledged"] else "new"


def _fares(one: dict[str, Any]) -> str:
    if one["stopped"]:
        return f"ended by its receiver at {moment_text(one['stopped'])}"
    if one["last_error"]:
        return f"fails: {one['last_error']}"
    return f"sent at {moment_text(one['last_tried'])}" if one["last_tried"] else "not used yet"
