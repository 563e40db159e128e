"""Changes to servers and their keys."""

import re
from collections.abc import Iterable
from typing import Any

from mailmum.control.accounts.access import Reading, Writing, writing
from mailmum.control.accounts.models import Token
from mailmum.control.accounts.services import NewToken, add_token
from mailmum.control.journal.services import Change, change
from mailmum.control.servers.answers import (
    Answers,
    as_state,
    clean_answers,
    own_answers,
    set_answers,
)
from mailmum.control.servers.models import Key, Server
from mailmum.control.servers.queries import find_server
from mailmum.domain.clients import AddressSubject, NameSubject, parse_subject
from mailmum.domain.errors import BadInput, Conflict
from mailmum.domain.keys import new_key, new_ref
from mailmum.domain.targets import NetworkTarget, parse_target
from mailmum.domain.texts import shown

NAME_LIMIT = 80
ADDRESS_LIMIT = 100
ASKER_LIMIT = 100
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_RESERVED = {"account"}


def add_server(
    access: Writing, name: str, addresses: Iterable[str] = (), askers: Iterable[str] = ()
) -> Server:
    """A new server with its first key.

    Args:
        access: proof that the asker may write.
        name: how people call it: letters, digits, dots, hyphens and underscores.
        addresses: its own addresses and host names, which guards keep from being listed.
        askers: networks from which its zones may be asked for; none for anywhere.

    Raises:
        BadInput: the name, an address or a network cannot be used.
        Conflict: the account has a server of this name.
    """
    label = clean_name(name)
    own, may_ask = clean_addresses(addresses), clean_askers(askers)
    with change(access.account.pk, access.actor, "server.add") as made:
        _refuse_taken(access, label)
        server = Server.objects.create(
            account=access.account, name=label, ref=new_ref(), addresses=own, askers=may_ask
        )
        Key.objects.create(server=server, label=new_key())
        made.server = server.pk
        made.summary = f"server {label}"
        made.after = state(server)
    return server


def edit_server(
    access: Writing,
    name: str,
    *,
    new_name: str | None = None,
    addresses: Iterable[str] | None = None,
    askers: Iterable[str] | None = None,
    answers: Answers | None = None,
) -> Server:
    """Rename a server, change its own addresses, who may ask or what it answers with.

    None leaves a value as it is.

    Raises:
        NotFound: no such server.
        BadInput: the name, an address or a network cannot be used.
        Conflict: the account has a server of the new name.
    """
    label = None if new_name is None else clean_name(new_name)
    own = None if addresses is None else clean_addresses(addresses)
    may_ask = None if askers is None else clean_askers(askers)
    with change(access.account.pk, access.actor, "server.set") as made:
        server = find_server(access, name)
        made.server, made.before = server.pk, state(server)
        if label is not None and label != server.name:
            _refuse_taken(access, label)
            server.name = label
        if own is not None:
            server.addresses = own
        if may_ask is not None:
            server.askers = may_ask
        if answers is not None:
            set_answers(server, answers)
        server.save()
        made.after = state(server)
        made.summary = f"server {name}" + (f" is now {label}" if label not in (None, name) else "")
        if made.before == made.after:
            made.discard()
    return server


def rotate_key(access: Writing, name: str, *, keep: int | None = None) -> Server:
    """Give a server a new key; the old one lives on for a while.

    Args:
        access: proof that the asker may write.
        name: the server.
        keep: seconds for which the present key lives on, 0: revoked at once, None: the account's
            parameter.

    Raises:
        NotFound: no such server.
        BadInput: `keep` is negative or longer than a year.
    """
    lifetime = access.account.key_keep if keep is None else keep
    if not 0 <= lifetime <= 365 * 86400:
        raise BadInput("an old key can live on for a year at most", field="keep")
    with change(access.account.pk, access.actor, "server.rotate-key") as made:
        server = find_server(access, name)
        made.server = server.pk
        _end_keys(server, made, lifetime)
        Key.objects.create(server=server, label=new_key())
        made.summary = f"new key for server {name}"
        made.after = {"name": name, "old_key_lives": lifetime}
    return server


def retire(server: Server, made: Change) -> None:
    """Mark a server removed and revoke its keys, as part of a change."""
    ends = {str(key.pk): key.until for key in server.keys.all()}
    made.before = {**state(server), "keys_end": ends}
    server.removed = made.seq
    server.save()
    _end_keys(server, made, 0)


def reinstate(access: Writing, server: Server, was: dict[str, Any]) -> None:
    """Undo `retire`: the server is back with the keys it had, so that its mail server goes on.

    Args:
        access: proof that the asker may write.
        server: the removed server.
        was: what `retire` told the journal of it.

    Raises:
        Conflict: its name has been given to another server.
    """
    _refuse_taken(access, server.name)
    server.removed = None
    server.save()
    for number, until in was["keys_end"].items():
        Key.objects.filter(server=server, pk=int(number)).update(until=until)


def restore_state(access: Writing, server: Server, was: dict[str, Any]) -> None:
    """Undo `edit_server`: name, addresses, who may ask and what it answers with as they were.

    Raises:
        Conflict: the former name has been given to another server.
    """
    name = str(was["name"])
    if name != server.name:
        _refuse_taken(access, name)
    server.name = name
    server.addresses = list(was["addresses"])
    server.askers = list(was.get("askers", ()))
    set_answers(server, clean_answers(was.get("ttl"), was.get("code"), was.get("text")))
    server.save()


def state(server: Server) -> dict[str, object]:
    """What the journal keeps of a server; never its key."""
    kept = {"name": server.name, "addresses": list(server.addresses)}
    askers = {"askers": list(server.askers)} if server.askers else {}
    return kept | askers | as_state(own_answers(server))


def clean_name(text: str) -> str:
    """A server's name.

    Raises:
        BadInput: empty, too long, reserved, or with other characters.
    """
    name = text.strip()
    if len(name) > NAME_LIMIT or not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise BadInput(
            f"{shown(text)} cannot be the name of a server",
            fix="use up to 80 letters, digits, dots, hyphens and underscores, such as mx1",
            field="name",
        )
    return name


def clean_addresses(texts: Iterable[str]) -> list[str]:
    """Own addresses and host names of a server in canonical form, each once.

    Raises:
        BadInput: one is neither, or there are too many.
    """
    subjects: list[AddressSubject | NameSubject] = []
    for text in texts:
        if len(subjects) >= ADDRESS_LIMIT:
            raise BadInput(f"more than {ADDRESS_LIMIT} own addresses", field="addresses")
        try:
            subjects.append(parse_subject(text))
        except BadInput as refusal:
            raise BadInput(refusal.problem, fix=refusal.fix, field="addresses") from None
    return list(dict.fromkeys(subject.text for subject in subjects))


def clean_askers(texts: Iterable[str]) -> list[str]:
    """Networks that may ask, in canonical form, each once.

    Raises:
        BadInput: one is no network, or there are too many.
    """
    found: dict[str, None] = {}
    for text in texts:
        try:
            target = parse_target(text)
        except BadInput as refusal:
            raise BadInput(refusal.problem, fix=refusal.fix, field="askers") from None
        if not isinstance(target, NetworkTarget):
            raise BadInput(
                f"{shown(text)} is neither an address nor a network",
                fix="write for example 192.0.2.53 or 192.0.2.0/24",
                field="askers",
            )
        found[target.text] = None
        if len(found) > ASKER_LIMIT:
            raise BadInput(f"more than {ASKER_LIMIT} networks that may ask", field="askers")
    return list(found)


def add_shipping_token(
    access: Reading,
    server: str,
    name: str,
    *,
    lifetime: int | None = None,
    parent: Token | None = None,
) -> NewToken:
    """A token that hands in the logs of one server and does nothing else.

    Raises:
        Forbidden: the role or the token of who asks allows reading only.
        NotFound: no such server.
        BadInput: the name cannot be used, or no server is named.
    """
    may = writing(access)
    if not server:
        raise BadInput(
            "a token of the scope ship hands in the logs of one server",
            fix="name that server",
            field="server",
        )
    ships = find_server(may, server).pk
    return add_token(may, name, writes=False, lifetime=lifetime, ships=ships, parent=parent)


def _refuse_taken(access: Writing, name: str) -> None:
    if Server.objects.filter(account=access.account, name=name, removed=None).exists():
        raise Conflict(
            f"there is a server {shown(name)} already", fix="choose another name", field="name"
        )


def _end_keys(server: Server, made: Change, lifetime: int) -> None:
    end = int(made.at.timestamp()) + lifetime
    Key.objects.filter(server=server, until=None).update(until=end)
    if lifetime == 0:
        Key.objects.filter(server=server, until__gt=end).update(until=end)
