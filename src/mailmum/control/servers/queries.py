"""What may be read of servers."""

from django.db.models import Prefetch, QuerySet

from mailmum.control.accounts.access import HandingIn, Reading
from mailmum.control.once import once
from mailmum.control.prepared import Prepared
from mailmum.control.servers.models import Key, Server
from mailmum.domain.clients import AddressSubject, NameSubject, parse_subject
from mailmum.domain.errors import NotFound
from mailmum.domain.guards import OwnServer
from mailmum.domain.texts import shown


def servers_of(reading: Reading) -> QuerySet[Server]:
    """The servers of an account by name, with their keys, newest first."""
    keys = Prefetch("keys", queryset=Key.objects.order_by("-id"))
    return (
        Server.objects.filter(account=reading.account, removed=None)
        .prefetch_related(keys)
        .order_by("name")
    )


def servers_without_keys(reading: Reading) -> QuerySet[Server]:
    """The same where nobody asks for keys: of many servers they take longer than the servers."""
    return Server.objects.filter(account=reading.account, removed=None).order_by("name")


def present_servers(reading: Reading) -> dict[int, str]:
    """Names of the account's servers by number, in the order of names and without their keys."""
    return dict(_names(reading.account.pk, present=True))


def find_server(reading: Reading, name: str) -> Server:
    """One server by name.

    Raises:
        NotFound: the account has none of this name.
    """
    # PostgreSQL takes no NUL, and no server has one in its name.
    server = None if "\0" in name else servers_of(reading).filter(name=name).first()
    if server is None:
        raise NotFound(
            f"there is no server {shown(name)}",
            fix="see the list of servers, or add it",
            field="server",
        )
    return server


def server_handed_in(handing: HandingIn) -> Server:
    """The server whose logs the holder may hand in.

    Raises:
        NotFound: it has been removed.
    """
    servers = Server.objects.filter(account=handing.account, pk=handing.server, removed=None)
    server = servers.first()
    if server is None:
        raise NotFound("the server of this token has been removed", fix="stop handing in its logs")
    return server


def find_by_ref(ref: str) -> Server | None:
    """The server of a public reference, whoever asks: for pages that strangers may see.

    This is the one accessor that asks for no permission.  A reference is no secret, it stands in
    replies to senders; so what is shown of the server must be public too.
    """
    if "\0" in ref:
        return None
    return Server.objects.select_related("account").filter(ref=ref, removed=None).first()


def names_of_servers(reading: Reading) -> dict[int, str]:
    """Names of all servers that the account has or had, by number."""
    return dict(_names(reading.account.pk, present=False))


@once
def _names(account: int, *, present: bool) -> list[tuple[int, str]]:
    return (_PRESENT if present else _EVER).rows(account)


_EVER = Prepared(lambda account: Server.objects.filter(account=account).values_list("pk", "name"))
_PRESENT = Prepared(
    lambda account: (
        Server.objects.filter(account=account, removed=None)
        .order_by("name")
        .values_list("pk", "name")
    )
)


def current_key(server: Server) -> str:
    """The key in use."""
    return next(key.label for key in server.keys.all() if key.until is None)


def keys_of_account(reading: Reading) -> list[str]:
    """All keys that servers of the account have or had."""
    return list(Key.objects.filter(server__account=reading.account).values_list("label", flat=True))


def own_servers(reading: Reading) -> list[OwnServer]:
    """The account's servers as guards want them."""
    return list(_owned(reading.account.pk))


@once
def _owned(account: int) -> list[OwnServer]:
    servers = Server.objects.filter(account=account, removed=None)
    return [_own(*one) for one in servers.values_list("name", "addresses")]


def _own(name: str, addresses: list[str]) -> OwnServer:
    subjects = [parse_subject(text) for text in addresses]
    return OwnServer(
        name,
        tuple(item for item in subjects if isinstance(item, AddressSubject)),
        tuple(item for item in subjects if isinstance(item, NameSubject)),
    )
