"""What an administrator runs so that a Postfix obeys: commands, the way back, and what to know.

`plan` merges one server's zones into the configuration that stands (`Current`, from postconf) and
gives shell commands that are safe to run twice: what stands already is not set again, a former
zone key is replaced where it stands.  Without a configuration to read it gives commands that touch
nothing that may be set already, and says where the administrator has to insert the rest.
"""

import shlex
from collections.abc import Iterable, Iterator

from mailmum.domain.errors import Conflict
from mailmum.postfix import setup_ways as ways
from mailmum.postfix.current import Current
from mailmum.postfix.restrictions import before, parse, without
from mailmum.postfix.setup_notes import general, resolving
from mailmum.postfix.setup_placement import OWN_FIRST, Setting, place
from mailmum.postfix.setup_plan import Insertion, Options, Plan
from mailmum.postfix.setup_postscreen import screen
from mailmum.postfix.setup_resolver import Recipe, recipes
from mailmum.postfix.setup_text import render
from mailmum.postfix.setup_ways import OLDEST_FOR_POLICY, Way
from mailmum.postfix.setup_zones import (
    ALLOW,
    BLOCK,
    PARAMETERS,
    REPLY_FILE,
    SITES,
    ServerZones,
    reply_table,
)

__all__ = ["Current", "Options", "Plan", "ServerZones", "Way", "plan", "render"]

_OLDEST = (3, 0)
_HOME = "smtpd_client_restrictions"
_REPLY_MAPS = "rbl_reply_maps"


def plan(zones: ServerZones, current: Current | None, options: Options) -> Plan:
    """What to run on a mail server.

    Args:
        zones: the server's name and zones.
        current: the configuration that stands, None when it cannot be read here.
        options: how to set up.

    Raises:
        Conflict: the Postfix is too old, or its postscreen settings cannot be merged with.
    """
    if current is None:
        return _elsewhere(zones, options)
    oldest = _OLDEST if options.way is Way.DNS else OLDEST_FOR_POLICY
    if current.version is not None and current.version < oldest:
        needed = ".".join(map(str, oldest))
        raise Conflict(
            f"this is Postfix {current.value('mail_version')}, and the setup needs {needed} or "
            "later",
            fix="upgrade Postfix",
        )
    return _here(zones, current, options)


def _here(zones: ServerZones, current: Current, options: Options) -> Plan:
    commands = _Commands(options, current.value("config_directory"))
    placement = place(zones, current)
    maps = _reply_maps(current, commands.reply_map)
    # Replies to what is asked over DNS; one that stands is left for who asks so beside us.
    replies = options.way is not Way.POLICY or maps.value == current.explicit.get(_REPLY_MAPS)
    settings = [
        *_own_settings(zones, options),
        *([maps] if replies else []),
        *placement.settings,
    ]
    notes = [*placement.notes, *_notes(current, options)]
    if _wants_postscreen(current, options):
        extra, more = screen(zones, current, trial=options.trial)
        settings += extra
        notes += more
    changes = [s for s in settings if current.explicit.get(s.name) != s.value]
    return Plan(
        server=zones.name,
        merged=True,
        changes=tuple(setting.name for setting in changes),
        lines=(
            *([commands.write(reply_table(zones))] if replies else []),
            *(commands.set(setting.name, setting.value) for setting in changes),
            commands.reload,
        ),
        undo=tuple(commands.way_back(settings, replies=replies)),
        insertions=(),
        notes=tuple(notes),
        resolvers=_recipes(zones, options),
        advice=() if options.way is Way.POLICY else resolving(zones),
    )


def _elsewhere(zones: ServerZones, options: Options) -> Plan:
    commands = _Commands(options, "")
    own = _own_settings(zones, options)
    others = [Setting(_HOME, f"{OWN_FIRST}, ${ALLOW}, ${BLOCK}", None)]
    replies = options.way is not Way.POLICY
    if replies:
        others.append(Setting(_REPLY_MAPS, commands.reply_map, None))
    notes = _notes(None, options)
    if options.postscreen:
        extra, more = screen(zones, Current(explicit={}, defaults={}), trial=options.trial)
        own += [setting for setting in extra if setting.name in PARAMETERS]
        others += [setting for setting in extra if setting.name not in PARAMETERS]
        notes += more
    return Plan(
        server=zones.name,
        merged=False,
        changes=tuple(setting.name for setting in own),
        lines=(
            *([commands.write(reply_table(zones))] if replies else []),
            *(commands.set(setting.name, setting.value) for setting in own),
            *(commands.set_if_unset(setting) for setting in others),
            commands.reload,
        ),
        undo=(
            *(commands.unset_if_ours(s) for s in others),
            *commands.way_back(own, replies=replies),
        ),
        insertions=tuple(_insertions(others)),
        notes=tuple(notes),
        resolvers=_recipes(zones, options),
        advice=() if options.way is Way.POLICY else resolving(zones),
    )


class _Commands:
    """Shell commands for one Postfix instance."""

    def __init__(self, options: Options, config_directory: str) -> None:
        folder = options.config_dir or config_directory or "/etc/postfix"
        self._at = f" -c {shlex.quote(options.config_dir)}" if options.config_dir else ""
        self._reply_file = f"{folder.rstrip('/')}/{REPLY_FILE}"
        self.reply_map = f"texthash:{self._reply_file}"
        self.reload = f"postfix{self._at} check && postfix{self._at} reload"

    def set(self, name: str, value: str) -> str:
        return f"postconf{self._at} -e {shlex.quote(f'{name} = {value}'.rstrip())}"

    def set_if_unset(self, setting: Setting) -> str:
        held = f'test -n "$(postconf{self._at} -h {setting.name})"'
        return f"{held} || {self.set(setting.name, setting.value)}"

    def unset_if_ours(self, setting: Setting) -> str:
        changed = f'test "$(postconf{self._at} -h {setting.name})" != {shlex.quote(setting.value)}'
        return f"{changed} || postconf{self._at} -X {setting.name}"

    def write(self, text: str) -> str:
        return f"cat > {shlex.quote(self._reply_file)} <<'EOF'\n{text}EOF"

    def way_back(self, settings: Iterable[Setting], *, replies: bool) -> Iterator[str]:
        """Everybody else's parameters first, then ours, which they refer to."""
        touched = [s for s in settings if s.value != s.clean]
        for setting in sorted(touched, key=lambda s: s.name in PARAMETERS):
            if setting.clean is None:
                yield f"postconf{self._at} -X {setting.name}"
            else:
                yield self.set(setting.name, setting.clean)
        if replies:
            yield f"rm -f {shlex.quote(self._reply_file)}"
        yield self.reload


def _own_settings(zones: ServerZones, options: Options) -> list[Setting]:
    way, service = options.way, options.policy
    return [
        Setting(ALLOW, ways.allow_values(zones, way, service), None),
        Setting(BLOCK, ways.block_values(zones, way, service, trial=options.trial), None),
    ]


def _notes(current: Current | None, options: Options) -> list[str]:
    # Postscreen asks over DNS, whatever the way.
    over_dns = options.way is not Way.POLICY or bool(options.postscreen)
    told = general(current, trial=options.trial, over_dns=over_dns)
    return [*told, *ways.notes(options.way)]


def _recipes(zones: ServerZones, options: Options) -> tuple[Recipe, ...]:
    if options.way is Way.POLICY:
        return ()
    return recipes(zones.base, options.dns_host, options.dns_port)


def _wants_postscreen(current: Current, options: Options) -> bool:
    """Postscreen asks over DNS only, so another way leaves it alone unless told otherwise."""
    if options.postscreen is None:
        return current.has_postscreen and options.way is not Way.POLICY
    return options.postscreen


def _reply_maps(current: Current, ours: str) -> Setting:
    # Ours first: a table that matches every name would otherwise answer for our zones.
    former = current.explicit.get(_REPLY_MAPS)
    tables = parse(former or "")
    if any(table.word == ours for table in tables):
        rest = without(former or "", lambda table: table.word == ours)
        return Setting(_REPLY_MAPS, former or "", rest or None)
    return Setting(_REPLY_MAPS, before(former or "", next(iter(tables), None), ours), former)


def _insertions(others: Iterable[Setting]) -> Iterator[Insertion]:
    places = {
        _HOME: (
            "after permit_mynetworks and permit_sasl_authenticated, and before the first "
            "reject_rbl_* or reject_rhsbl_* that stands there"
        ),
        _REPLY_MAPS: "before the other tables, with a comma between",
        "postscreen_dnsbl_sites": (
            "after the other sites; the weights suit a threshold of 1 and no other sites, so raise "
            f"them in {SITES} where others count more"
        ),
        "postscreen_dnsbl_reply_map": "as unionmap:{TABLE, ...} beside the table that stands there",
    }
    for setting in others:
        text = setting.value.removeprefix(f"{OWN_FIRST}, ")
        yield Insertion(setting.name, text, places[setting.name])
        if setting.name == _HOME:
            yield Insertion(
                "every other smtpd_*_restrictions that has a reject_rbl_* or reject_rhsbl_*",
                f"${ALLOW}",
                "before the first of them, so that an allow overrides it",
            )
