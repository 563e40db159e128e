"""Writing rbldnsd's data files, so that rbldnsd gives the verdicts that MailMum gives.

The file is one list of one server: what is blocked, with allowed targets as exceptions, or the
other way round.  In ip4trie, ip6trie and dnset the narrowest entry decides, so the tree of
`effective` is written as it stands.  An ip4set looks up by whole octets and knows no nesting, so
there every address is written once, in ranges that do not overlap.

The `rbldnsd` format is a `combined` file: one file for zones `bl` and `dbl` (or `wl` and `dwl`)
below the one that it is served as.

Never a verdict, so always excepted when something wider is listed: loopback, and IPv4 addresses in
IPv6 form, about which the IPv4 zone is asked.  rbldnsd itself adds one thing: in a zone that has
both IPv4 and IPv6 entries it also answers for a 6to4 address (2002::/16) by the IPv4 address in it.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise

from mailmum.domain.codes import TEST, code_text
from mailmum.domain.listings import Action
from mailmum.domain.targets import NameTarget, NetworkTarget
from mailmum.formats.effective import MAPPED, Node, Visit, walk_names, walk_networks
from mailmum.formats.rbldnsd_targets import networks_between
from mailmum.formats.rbldnsd_values import template_from
from mailmum.formats.rows import ExportRow, WriteOptions, ZoneHead, answer_code, in_force
from mailmum.formats.tidy import left_out, one_line, split_rows

COMBINED = "rbldnsd"
_DATA_SETS = {
    ("ip4set", 4): "ip4set",
    ("ip4trie", 4): "ip4trie",
    ("ip6trie", 6): "ip6trie",
    (COMBINED, 4): "ip4trie",
    (COMBINED, 6): "ip6trie",
}
_NAME_KINDS = (COMBINED, "dnset")
# In IPv6 form as rbldnsd reads it: it knows no octets at the end of an IPv6 address.
_TEST_TARGETS = {
    "ip4set": "127.0.0.2",
    "ip4trie": "127.0.0.2",
    "ip6trie": "::ffff:7f00:2",
    "dnset": "test",
}
_TEST_VALUE = f":{code_text(TEST)}:Test entry\n"
_MAPPED_TEXT = "::ffff:0:0/96"
_ZONES = {Action.BLOCK: ("bl", "dbl"), Action.ALLOW: ("wl", "dwl")}


def write_rbldnsd(
    rows: Iterable[ExportRow], options: WriteOptions, kind: str = COMBINED
) -> Iterator[str]:
    """Write a data file, line by line.

    Args:
        rows: the rows of the account and of at most one server.
        options: `action` is what an entry means that is no exception.
        kind: ip4set, ip4trie, ip6trie, dnset, or `rbldnsd` for all in one combined file.

    Raises:
        BadInput: the rows are of several servers.
    """
    networks, names = split_rows(in_force(rows, options.now))
    zone, names_zone = _ZONES[options.action]
    yield f"# {options.action} list of MailMum for rbldnsd, type {_type(kind)}\n"
    yield from _head(options.head)
    unfit = 0
    visits = walk_networks(networks, presorted=options.presorted)
    for version, some in groupby(visits, key=lambda visit: _network(visit[0]).version):
        data_set = _DATA_SETS.get((kind, version))
        if data_set is None:
            unfit += sum(1 for node, entering in some if entering and node.row)
            continue
        yield from _start(kind, data_set, zone, options)
        yield from _networks(some, data_set, options)
    if kind in _NAME_KINDS:
        yield from _start(kind, "dnset", names_zone, options)
        yield from _names(names, options)
    else:
        unfit += len(names)
    yield from left_out(unfit, f"a file of the type {_type(kind)} cannot hold them")


def _type(kind: str) -> str:
    return "combined" if kind == COMBINED else kind


def _head(head: ZoneHead | None) -> Iterator[str]:
    if head is None or not head.name_servers:
        return
    primary, ttl = one_line(head.name_servers[0]), head.ttl
    # Serial 0 stands for the time of the file.
    yield f"$SOA {ttl} {primary} {one_line(head.hostmaster)} 0 1h 1h 1w {ttl}\n"
    yield f"$NS {ttl} {' '.join(one_line(name) for name in head.name_servers)}\n"


def _start(kind: str, data_set: str, zone: str, options: WriteOptions) -> Iterator[str]:
    if kind == COMBINED:
        yield f"$DATASET {data_set} {zone}\n"
    if options.test_entries:
        yield f"{_TEST_TARGETS[data_set]} {_TEST_VALUE}"


def _networks(visits: Iterable[Visit], data_set: str, options: WriteOptions) -> Iterator[str]:
    lines = _Lines(options)
    if data_set == "ip4set":
        for first, last, node in _stretches(visits):
            yield from lines.entry(_range_text(first, last), node)
        return
    for node, entering in visits:
        if entering:
            target = _network(node)
            text = _MAPPED_TEXT if target == MAPPED else target.text
            yield from lines.entry(text, node)


def _names(rows: Iterable[ExportRow], options: WriteOptions) -> Iterator[str]:
    lines = _Lines(options)
    nodes: list[Node | None] = [node for node, entering in walk_names(rows) if entering]
    for node, following in pairwise([*nodes, None]):
        assert node is not None
        assert isinstance(node.target, NameTarget)
        text = node.target.text
        # `.name` lists the name too, and would answer beside the entry of the host.
        if following is not None and following.target == NameTarget(node.target.name, False):
            text = f"*{text}"
        yield from lines.entry(text, node)


def _stretches(visits: Iterable[Visit]) -> Iterator[tuple[int, int, Node]]:
    """Every address once: ranges with the innermost node that covers them."""
    position = 0
    for node, entering in visits:
        target = _network(node)
        if not entering:
            if position <= target.last:
                yield position, target.last, node
            position = target.last + 1
            continue
        if node.parent is not None and position < target.first:
            yield position, target.first - 1, node.parent
        position = target.first


def _range_text(first: int, last: int) -> str:
    networks = networks_between(first, last)
    if len(networks) == 1:
        return networks[0].text
    return f"{NetworkTarget(4, first, 32).text}-{NetworkTarget(4, last, 32).text}"


def _network(node: Node) -> NetworkTarget:
    assert isinstance(node.target, NetworkTarget)
    return node.target


class _Lines:
    """Entries with their values; a value that repeats is written once, as the default."""

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        self._default = self._last = ""

    def entry(self, target: str, node: Node) -> Iterator[str]:
        if node.row is None:
            # A hole in something that is listed; elsewhere there is nothing to except.
            if node.parent is not None and node.parent.action is self._options.action:
                yield f"!{target}\n"
        elif node.action is not self._options.action:
            yield f"!{target}\n"
        else:
            yield from self._listed(target, self._value(node.row))

    def _listed(self, target: str, value: str) -> Iterator[str]:
        if value == self._last != self._default:
            yield f"{value}\n"
            self._default = value
        self._last = value
        yield f"{target}\n" if value == self._default else f"{target} {value}\n"

    def _value(self, row: ExportRow) -> str:
        code = answer_code(row.listing, self._options.account_code)
        return f":{code_text(code)}:{template_from(one_line(row.listing.reason))}"
