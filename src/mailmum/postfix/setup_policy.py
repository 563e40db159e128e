"""The policy service in Postfix: the lines that set it up by hand, and the way back.

The check stands in a parameter of our own, which holds the zone key; the administrator's list only
refers to it.
"""

import shlex
from collections.abc import Iterator

from mailmum.postfix.setup_placement import OWN_FIRST
from mailmum.postfix.setup_plan import Insertion, Plan
from mailmum.postfix.setup_zones import ALLOW, BLOCK

POLICY = "mailmum_policy"
_HOME = "smtpd_client_restrictions"
_RELOAD = "postfix check && postfix reload"
_AWAY = (
    "While the service is away, default_action lets mail flow: at once when nobody listens there, "
    "after the timeout of 5 s when nobody answers."
)
_LISTS = (
    "An allow ends the list that the check stands in. Where public RBLs stand in other lists too, "
    "put $mailmum_policy before them as well."
)
_NOTES = (
    "Postfix asks for every recipient and keeps nothing: a change is obeyed with the next message.",
    _AWAY,
    _LISTS,
    "postscreen does not ask the policy service: it turns clients away before smtpd is there.",
    "The key stands in main.cf and is never shown to clients.",
)


def check(key: str, endpoint: str) -> str:
    """The restriction that asks the service.

    Args:
        key: the server's zone key.
        endpoint: HOST:PORT at which the mail server reaches the policy service.
    """
    return (
        f"check_policy_service {{ inet:{endpoint}, policy_context={key}, "
        "default_action=DUNNO, timeout=5s }"
    )


def policy_plan(server: str, key: str, endpoint: str, *, beside: Plan | None = None) -> Plan:
    """What to run on a mail server whose configuration cannot be read from here.

    Args:
        server: its name.
        key: its zone key.
        endpoint: HOST:PORT at which it reaches the policy service.
        beside: the plan for DNS, where it shall ask both; the policy service is asked first, and
            DNS still answers while that is away.
    """
    references = f"${POLICY}" if beside is None else f"${POLICY}, ${ALLOW}, ${BLOCK}"
    value = f"{OWN_FIRST}, {references}"
    own = _set(f"{POLICY} = {check(key, endpoint)}")
    home = f'test -n "$(postconf -h {_HOME})" || {_set(f"{_HOME} = {value}")}'
    lines, undo = list(beside.lines if beside else ()), list(beside.undo if beside else ())
    return Plan(
        server=server,
        merged=False,
        changes=(POLICY, *(beside.changes if beside else ())),
        lines=(own, *_with_home(lines, home), *([] if lines else [home, _RELOAD])),
        undo=tuple(_way_back(undo, value)),
        insertions=_insertions(beside),
        notes=(*_NOTES, *(beside.notes if beside else ())),
        resolvers=beside.resolvers if beside else (),
        advice=beside.advice if beside else (),
    )


def _set(text: str) -> str:
    return f"postconf -e {shlex.quote(text)}"


def _with_home(lines: list[str], home: str) -> Iterator[str]:
    """The lines for DNS, with ours for the list that refers to all of it."""
    for line in lines:
        yield home if line.startswith(f'test -n "$(postconf -h {_HOME})"') else line


def _way_back(undo: list[str], value: str) -> Iterator[str]:
    changed = f'test "$(postconf -h {_HOME})" != {shlex.quote(value)}'
    yield f"{changed} || postconf -X {_HOME}"
    yield from (line for line in undo if f"-h {_HOME})" not in line and line != _RELOAD)
    yield f"postconf -X {POLICY}"
    yield _RELOAD


def _insertions(beside: Plan | None) -> tuple[Insertion, ...]:
    where = (
        "after permit_mynetworks and permit_sasl_authenticated, and before what an allow shall "
        "override"
    )
    own = Insertion(_HOME, f"${POLICY}", where)
    return (own, *(beside.insertions if beside else ()))
