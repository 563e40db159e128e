"""Whether the Postfix of this machine asks one of the servers' zones, wholly and by the new key.

What `postfix setup` has written is compared with what it would write now.  Whoever asks the policy
service by lines of his own, as the guide and the page of a server have them, is told that it does.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mailmum.cli.doctor_findings import Finding, fail, ok, warn
from mailmum.domain.errors import Conflict
from mailmum.postfix.asking import Asking, askings
from mailmum.postfix.setup import Current, Options, ServerZones, Way, plan
from mailmum.postfix.setup_ways import way_of
from mailmum.postfix.setup_zones import ALLOW, BLOCK, REPLY_FILE, reply_table

_NAME = "Postfix"


def examine(
    current: Current, servers: Iterable[dict[str, Any]], base: str, config_dir: str = ""
) -> Iterator[Finding]:
    """Findings about this Postfix.

    Args:
        current: its configuration.
        servers: the account's servers, or the one that was asked about.
        base: the service's base.
        config_dir: folder of main.cf when it is not Postfix's default.
    """
    known = list(servers)
    values = (*current.explicit.values(), *(one.value for one in current.overrides))
    settings = " ".join(values).lower()
    asked = [one for one in known if one["key"] in settings]
    for one in asked:
        by_hand = [how for how in askings(current) if how.key == one["key"] and not how.own]
        if not by_hand or any(one["key"] in current.value(name) for name in (ALLOW, BLOCK)):
            yield from _complete(current, one, base, config_dir)
        yield from _by_hand(by_hand, one["name"])
    if asked:
        return
    outdated = [one for one in known if any(old["key"] in settings for old in one["old_keys"])]
    for one in outdated:
        keys = {old["key"] for old in one["old_keys"]}
        own_lines = any(how.key in keys and not how.own for how in askings(current))
        yield fail(
            _NAME,
            f"it asks server {one['name']} under a key that was rotated out",
            f"put the present one into its place: mailmum server show {one['name']}"
            if own_lines
            else f"run the lines of: mailmum postfix setup --server {one['name']}",
        )
    if not outdated and known:
        name = known[0]["name"] if len(known) == 1 else "NAME"
        yield warn(
            _NAME,
            "the Postfix of this machine does not ask this service",
            f"run the lines of: mailmum postfix setup --server {name}",
        )


def _complete(
    current: Current, one: dict[str, Any], base: str, config_dir: str
) -> Iterator[Finding]:
    zones = ServerZones(name=one["name"], base=base, **one["zones"])
    trial = "warn_if_reject" in current.value(BLOCK)
    way, service = way_of(current)
    again = f"run the lines of: mailmum postfix setup --server {zones.name}"
    options = Options(trial=trial, config_dir=config_dir, way=way, policy=service)
    try:
        missing = plan(zones, current, options).changes
    except Conflict as conflict:
        yield fail(_NAME, conflict.problem, conflict.fix)
        return
    if missing:
        yield fail(
            _NAME, f"its setup for {zones.name} is not complete: {', '.join(missing)}", again
        )
    elif trial:
        yield warn(
            _NAME,
            f"it asks {zones.name} on trial: blocks are logged, nothing is rejected",
            f"{again}, without --trial",
        )
    else:
        yield ok(_NAME, f"it is set up for server {zones.name}")
    if way is not Way.POLICY:
        folder = Path(config_dir or current.value("config_directory") or "/etc/postfix")
        yield _replies(zones, folder, again)


def _by_hand(found: list[Asking], name: str) -> Iterator[Finding]:
    """About lines that ask the policy service and are not those of `postfix setup`."""
    if any(not one.lookup for one in found):
        yield ok(_NAME, f"it asks the policy service for server {name}")
    if any(one.lookup for one in found):
        yield ok(
            _NAME,
            f"it looks clients of server {name} up in the policy service's socketmap; while that "
            "is away mail has to be sent again",
        )
    if any(not (one.lookup or one.flows) for one in found):
        yield fail(
            _NAME,
            "while the policy service is away, it defers all mail",
            "add default_action=DUNNO to every check_policy_service that asks it",
        )


def _replies(zones: ServerZones, folder: Path, again: str) -> Finding:
    path = folder / REPLY_FILE
    try:
        content = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return fail(
            _NAME,
            f"{path} cannot be read ({error.strerror}), so replies may show the zone key",
            again,
        )
    wanted = set(reply_table(zones).splitlines())
    if wanted - set(content.splitlines()):
        return fail(_NAME, f"{path} is not for the present key, so replies may show it", again)
    return ok(_NAME, "replies do not show the zone key")
