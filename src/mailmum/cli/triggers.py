"""`trigger presets | list | add | show | edit | remove | test | findings | clear | resume`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from mailmum.cli.client import trigger_path
from mailmum.cli.failures import Failure
from mailmum.cli.output import moment_text, print_json, print_json_list, print_rows, say, warn
from mailmum.cli.progress import progress
from mailmum.cli.session import Session, common, pass_session, together
from mailmum.domain.words import plural, said, took

_SHOWN = 10
_name = click.argument("name")
_preset = click.option("--preset", metavar="NAME", help="Ready-made one to start from.")
_MODES = click.Choice(["off", "observe", "enforce"])
_METRICS = click.Choice(
    [
        "rbl",
        "lists",
        "asked",
        "unknown-recipients",
        "relay",
        "auth",
        "protocol",
        "connections",
        "score",
        "trap",
    ]
)
_GROUPS = click.Choice(["address", "network", "wide", "domain"])


_rule_options = together(
    click.option("--metric", type=_METRICS, help="What is counted."),
    click.option("--threshold", type=int, metavar="20", help="How many are enough."),
    click.option("--within", "window", metavar="10m", help="Within which time."),
    click.option("--group", type=_GROUPS, help="From whom together."),
    click.option("--list", "lists", multiple=True, metavar="ZONE", help="Public list that counts."),
    click.option("--score", type=float, metavar="15", help="Spam score from which on it counts."),
    click.option("--trap", "traps", multiple=True, metavar="ADDRESS", help="Trap address."),
    click.option("--server", metavar="NAME", help="Whose contacts count; account: all."),
    click.option("--where", type=click.Choice(["account", "server"]), help="Where it is listed."),
    click.option("--for", "lifetime", metavar="1d", help="How long it is listed."),
    click.option("--growth", type=int, metavar="2", help="Times as long each time; 1: the same."),
    click.option("--longest", metavar="30d", help="Longest lifetime of all."),
    click.option("--quiet", metavar="30d", help="Time after which it is forgiven."),
    click.option("--merge", type=int, metavar="5", help="So many listed list their network."),
    click.option("--accepted", type=int, metavar="5", help="Who delivered so many is spared."),
    click.option("--days", type=int, metavar="60", help="In so many days."),
    click.option("--brake", type=int, metavar="50", help="More listings stop it; 0: never."),
    click.option("--brake-within", "brake_window", metavar="10m", help="In this time."),
)


_kept_options = together(
    click.option("--mode", type=_MODES, help="off, observe or enforce."),
    click.option("--reason", metavar="TEXT", help="Public: senders read it in the reply."),
    click.option("--note", metavar="TEXT", help="Private: for you and your colleagues."),
)


@click.group(short_help="Have offenders listed by parameters.")
@common
def trigger() -> None:
    """Have offenders listed by parameters.

    A trigger counts what mail servers log, and lists who reaches its threshold. Try it on your own
    past with `test`, let it observe, then enforce.
    """


@trigger.command()
@common
@pass_session
def presets(session: Session) -> None:
    """List ready-made triggers to start from."""
    found = session.client().get("/triggers/presets")["presets"]
    if session.as_json:
        print_json_list(found)
        return
    rows = ([one["name"], one["says"]] for one in found)
    print_rows(("Preset", "Lists who has"), rows, none="there is none")


@trigger.command("list")
@common
@pass_session
def list_(session: Session) -> None:
    """List the triggers."""
    found = session.client().get("/triggers")["triggers"]
    if session.as_json:
        print_json_list(found)
        return
    rows = ([one["name"], _mode(one), f"{one['in_force']:,}", one["says"]] for one in found)
    none = "there is no trigger yet; see: mailmum trigger presets"
    print_rows(("Name", "Mode", "Listed", "Lists who has"), rows, none=none)


@trigger.command()
@_name
@_preset
@_rule_options
@_kept_options
@common
@pass_session
def add(session: Session, /, name: str, preset: str | None, **given: Any) -> None:
    """Add a trigger, off unless --mode says otherwise."""
    body = {"name": name, **({"preset": preset} if preset else {}), **_fields(given)}
    with _told_by_option():
        made = session.client().send("POST", "/triggers", body)
    _show(session, made)
    if made["mode"] == "off" and not session.as_json:
        say(f"next: mailmum trigger test {name}, then: mailmum trigger edit {name} --mode observe")


@trigger.command()
@_name
@common
@pass_session
def show(session: Session, name: str) -> None:
    """Show a trigger with all its parameters."""
    _show(session, session.client().get(trigger_path(name)))


@trigger.command()
@_name
@_rule_options
@_kept_options
@common
@pass_session
def edit(session: Session, /, name: str, **given: Any) -> None:
    """Change a trigger; options left out keep their value."""
    body = _fields(given)
    if not body:
        raise click.UsageError("Say what to change, for example --threshold 40.")
    with _told_by_option():
        made = session.client().send("PATCH", trigger_path(name), body)
    _show(session, made)


@trigger.command()
@_name
@click.option("--listings", "with_listings", is_flag=True, help="Remove what it has listed, too.")
@common
@pass_session
def remove(session: Session, name: str, *, with_listings: bool) -> None:
    """Remove a trigger; what it has listed runs out by itself."""
    path = trigger_path(name) + ("?listings=1" if with_listings else "")
    answer = session.client().send("DELETE", path)
    if session.as_json:
        print_json(answer)
        return
    gone = f" with {plural(answer['listings'], 'listing')}" if with_listings else ""
    say(f"removed: trigger {answer['removed']}{gone}")


@trigger.command()
@_name
@common
@pass_session
def clear(session: Session, name: str) -> None:
    """Remove all that a trigger has listed, as one change that can be undone."""
    answer = session.client().send("POST", f"{trigger_path(name)}/clear")
    if session.as_json:
        print_json(answer)
        return
    where = f" in change {answer['change']}" if answer["change"] is not None else ""
    say(f"removed: {plural(answer['listings'], 'listing')} of the trigger {name}{where}")
    if where:
        say(f"to undo it: mailmum journal undo {answer['change']}")


@trigger.command()
@_name
@common
@pass_session
def resume(session: Session, name: str) -> None:
    """Let a trigger go on that its brake has stopped."""
    _show(session, session.client().send("POST", f"{trigger_path(name)}/resume"))


@trigger.command()
@_name
@common
@pass_session
def findings(session: Session, name: str) -> None:
    """Show what a trigger has decided and why, newest first."""
    found = session.client().pages(f"{trigger_path(name)}/findings", "findings", limit=500)
    if session.as_json:
        print_json_list(found)
        return
    rows = (
        [moment_text(one["when"]), _KINDS[one["kind"]], one["target"], one["reason"] or one["says"]]
        for one in found
    )
    print_rows(("When", "What", "Target", "Why"), rows, none=f"{name} has decided nothing yet")


_KINDS = {
    "list": "listed",
    "would": "would have listed",
    "past": "too late to list",
    "spare": "spared",
    "stop": "stopped itself",
}


@trigger.command()
@click.argument("name", required=False)
@_preset
@click.option(
    "--history",
    type=click.IntRange(1, 90),
    default=30,
    show_default="30",
    metavar="30",
    help="Days to look back.",
)
@_rule_options
@common
@pass_session
def test(
    session: Session, /, name: str | None, preset: str | None, history: int, **given: Any
) -> None:
    """Try a trigger on the past: what it would have listed, stopped, and whose mail it would hit.

    With NAME and options the trigger as it is saved and as it would be stand side by side. Nothing
    is changed, and the exit status is 0 whatever is found.
    """
    if not (name or preset or given["metric"]):
        raise click.UsageError(
            "Name a trigger, a --preset (see: mailmum trigger presets), or a --metric with its "
            "--threshold and --within."
        )
    body = {"history": history, **_fields(given)}
    body |= {key: value for key, value in (("name", name), ("preset", preset)) if value}
    with _told_by_option(), progress("testing", enabled=not session.as_json) as bar:
        answer: dict[str, Any] = {}
        for answer in session.client().watch("/triggers/backtest", body):
            if "progress" in answer:
                bar.told(answer["progress"])
    if "report" not in answer:
        raise Failure("the service broke off before its report", "see its log", code="unavailable")
    if session.as_json:
        print_json(answer)
        return
    for line in _tested(answer["report"], answer.get("saved")):
        say(line)
    if answer.get("cannot_know"):
        say(f"  {answer['cannot_know']}")


_FIGURES = (
    ("listings", "listings made"),
    ("targets", "different targets"),
    ("contacts", "contacts stopped"),
    ("turned_away", "of these turned away all the same"),
    ("accepted", "of these accepted messages"),
    ("hit", "clients with accepted mail hit"),
    ("spared", "targets spared by an exception"),
)


def _tested(report: dict[str, Any], saved: dict[str, Any] | None) -> Iterator[str]:
    since, until = moment_text(report["since"]), moment_text(report["until"])
    about = "about " if report["rows"] >= 1_000_000 else ""
    counts = plural(report["rows"], "count")
    yield f"from {since} to {until}, {about}{counts} in {took(report['seconds'])}"
    if saved is not None:
        yield f"  {'':34} {'saved':>9} {'changed':>9}"
    for name, words in _FIGURES:
        before = f" {saved[name]:9,}" if saved is not None else ""
        yield f"  {words:34}{before} {report[name]:9,}"
    yield from _remarks(report)
    for one in report["hits"][:_SHOWN]:
        inside = f" (in {one['target']})" if one["target"] != one["client"] else ""
        mail = plural(one["accepted"], "accepted message")
        yield f"  ! would hit {one['client']}{inside}: {mail}"
    if report["hit"] > _SHOWN:
        yield f"  ! and {report['hit'] - _SHOWN:,} more; --json has the first 100"
    for one in report["listed"][:_SHOWN]:
        yield f"  {_when(one['begin'], one['exact'])}  {one['target']}: {one['says']}"
    if report["listings"] > _SHOWN:
        yield f"  and {report['listings'] - _SHOWN:,} more; --json has the first 200"
    yield from _spared(report)


def _spared(report: dict[str, Any]) -> Iterator[str]:
    """The first of whom it would have listed but for a protection, and why not."""
    for one in report["spared_targets"][:_SHOWN]:
        when, times = _when(one["when"], one["exact"]), one["times"]
        often = f", {times:,} times" if times > 1 else ""
        yield f"  {when}  spared {one['target']}: {one['reason']}{often}"
    if report["spared"] > _SHOWN:
        yield f"  and {report['spared'] - _SHOWN:,} more were spared; --json has the first 50"


def _remarks(report: dict[str, Any]) -> Iterator[str]:
    if report["known_since"] is None:
        yield "  nothing is known of this time: no mail server has been seen in it"
    elif report["known_since"][:10] > report["since"][:10]:
        yield f"  nothing is known of before {moment_text(report['known_since'])}"
    if report["weighed"] < report["listings"]:
        yield f"  contacts are those of the first {report['weighed']:,} listings"
    if report["brake"]:
        when = _when(report["brake"], report["brake_exact"])
        yield f"  the brake would have stopped it {'at ' if report['brake_exact'] else ''}{when}"
    if report["exact_since"] != report["since"]:
        when = moment_text(report["exact_since"]) or "now"
        yield f"  before {when} there are only counts by the hour: rather too many than too few"


def _when(moment: str, exact: bool) -> str:
    """A moment for people, or where only its hour is known that hour."""
    return moment_text(moment) if exact else f"in the hour from {moment_text(moment)}"


_OPTIONS = {
    "window": "--within",
    "lifetime": "--for",
    "brake_window": "--brake-within",
    "lists": "--list",
    "traps": "--trap",
}
"""Options whose name is not that of their field."""


@contextmanager
def _told_by_option() -> Iterator[None]:
    """A refusal names the option where that has another name than the field."""
    try:
        yield
    except Failure as failure:
        if (option := _OPTIONS.get(failure.field)) is None:
            raise
        raise Failure(
            failure.problem,
            f"{failure.fix} ({option})".lstrip(),
            code=failure.code,
            field=failure.field,
        ) from None


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    """What was given: options left out are not sent."""
    values = {name: value for name, value in given.items() if value not in (None, ())}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def _mode(one: dict[str, Any]) -> str:
    return f"{one['mode']}, stopped" if one["stopped"] else str(one["mode"])


def _show(session: Session, one: dict[str, Any]) -> None:
    if session.as_json:
        print_json(one)
        return
    say(f"trigger {one['name']}: {_mode(one)}, {plural(one['in_force'], 'listing')} in force")
    say(f"  {one['says']}")
    for line in _parameters(one):
        say(f"  {line}")
    if one["mode"] == "observe":
        say(f"whom it would have listed: mailmum trigger findings {one['name']}")
    if one["stopped"]:
        warn(
            f"its brake stopped it at {moment_text(one['stopped'])}: {one['stopped_why']}; "
            f"look at them: mailmum trigger findings {one['name']}, take them back: "
            f"mailmum trigger clear {one['name']}, or go on: mailmum trigger resume {one['name']}"
        )


def _parameters(one: dict[str, Any]) -> Iterator[str]:
    if one["traps"]:
        yield f"traps: {', '.join(one['traps'])}"
    if one["merge"]:
        yield f"{one['merge']} listed in one network list the network"
    yield f"forgiven after {said(one['quiet'])}"
    if one["accepted"]:
        mail, days = plural(one["accepted"], "accepted message"), plural(one["days"], "day")
        yield f"spares who delivered {mail} in {days}"
    if one["brake"]:
        listings, time = plural(one["brake"], "listing"), said(one["brake_window"])
        yield f"stops itself at more than {listings} in {time}"
    if one["reason"]:
        yield f'reason: "{one["reason"]}"'
    if one["note"]:
        yield f"note: {one['note']}"
