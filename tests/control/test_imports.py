"""Imports: one change, all or nothing; exports, and both in a round."""

import time
from collections.abc import Iterable

import pytest

from mailmum.control.accounts.access import Writing
from mailmum.control.imports.exporting import export
from mailmum.control.imports.options import ImportOptions, Report
from mailmum.control.imports.services import run_import
from mailmum.control.journal.models import Record
from mailmum.control.listings.models import Version
from mailmum.control.listings.queries import Filter, explain, find_listings
from mailmum.control.listings.undo import undo
from mailmum.control.servers.queries import find_server
from mailmum.control.servers.services import add_server
from mailmum.domain.clients import parse_subject
from mailmum.domain.codes import code_text
from mailmum.domain.errors import BadInput, NeedsConfirmation, NotFound
from mailmum.domain.listings import Action
from mailmum.domain.targets import parse_target
from tests.control.test_listings import allow, block
from tests.support.world import World


def load(access: Writing, text: str | Iterable[bytes], **options: object) -> Report:
    """Import, and give the report."""
    chunks = [text.encode()] if isinstance(text, str) else text
    chosen = ImportOptions(**{"label": "list.txt", **options})  # type: ignore[arg-type]
    *_, last = run_import(access, chunks, chosen)
    assert isinstance(last, Report)
    return last


def targets(world: World) -> set[str]:
    """What the owner's account lists."""
    return {version.target for version in find_listings(world.viewer, Filter())}


def test_an_import_is_one_change_of_a_feed(world: World) -> None:
    """One record; the listings carry the label; a person still outranks them."""
    before = Record.objects.count()
    report = load(world.admin, "203.0.113.7\n203.0.113.0/25 # net\n.spam.example\n")
    assert (report.added, report.bad, report.applied, report.lines) == (3, 0, True, 3)
    assert Record.objects.count() == before + 1
    found = find_listings(world.viewer, Filter(origin="list.txt"))
    assert {version.source for version in found} == {"feed"}
    allow(world.admin, "203.0.113.0/24")
    verdict = explain(world.viewer, parse_subject("203.0.113.7"), None).verdict
    assert verdict.word == "allow"


def test_one_bad_line_and_nothing_is_applied(world: World) -> None:
    """Each is reported with number, text and reason; there is no record."""
    before = Record.objects.count()
    report = load(
        world.admin,
        "203.0.113.7\n203.0.113.1/24\n# comment\nno..name\n10.0.0.1\n127.0.0.1\n",
        format="plain",
    )
    assert not report.applied
    assert [bad["line"] for bad in report.bad_lines] == [2, 4, 5, 6]
    assert "did you mean 203.0.113.0/24?" in report.bad_lines[0]["problem"]
    assert "a feed can never block it" in report.bad_lines[2]["problem"]
    assert "loopback" in report.bad_lines[3]["problem"]
    assert not targets(world)
    assert Record.objects.count() == before


def test_a_dry_run_changes_nothing(world: World) -> None:
    """It tells what would happen."""
    load(world.admin, "203.0.113.7\n203.0.113.8\n")
    before = Record.objects.count()
    report = load(
        world.admin, "203.0.113.8\n203.0.113.9\n", dry_run=True, remove_missing=True, reason="x"
    )
    assert (report.added, report.changed, report.removed) == (1, 1, 1)
    assert not report.applied
    assert targets(world) == {"203.0.113.7", "203.0.113.8"}
    assert Record.objects.count() == before


def test_what_left_the_source_is_removed(world: World) -> None:
    """Only what this source had listed; other labels and people's listings stay."""
    load(world.admin, "203.0.113.7\n203.0.113.8\n")
    load(world.admin, "198.51.100.7\n", label="other.txt")
    block(world.admin, "192.0.2.7")
    report = load(world.admin, "203.0.113.8\n203.0.113.9\n", remove_missing=True)
    assert (report.added, report.unchanged, report.removed) == (1, 1, 1)
    assert targets(world) == {"203.0.113.8", "203.0.113.9", "198.51.100.7", "192.0.2.7"}
    assert report.change is not None
    undo(world.admin, report.change)
    assert "203.0.113.7" in targets(world)
    assert "203.0.113.9" not in targets(world)


def test_what_left_the_source_is_removed_in_its_scope(world: World) -> None:
    """The same source may feed a server and the account apart; the journal says which it was."""
    add_server(world.admin, "mx1")
    load(world.admin, "203.0.113.1\n203.0.113.2\n")
    load(world.admin, "203.0.113.7\n203.0.113.8\n", server="mx1")
    report = load(world.admin, "203.0.113.7\n", server="mx1", remove_missing=True)
    assert report.removed == 1
    assert targets(world) == {"203.0.113.1", "203.0.113.2", "203.0.113.7"}
    assert Record.objects.latest("seq").server == find_server(world.viewer, "mx1").pk
    report = load(world.admin, "203.0.113.1\n", remove_missing=True)
    assert report.removed == 1
    assert targets(world) == {"203.0.113.1", "203.0.113.7"}


def test_a_dry_run_counts_as_the_real_one_does(world: World) -> None:
    """Repeats that are far apart, too."""
    text = "".join(f"203.0.{n // 250}.{n % 250}\n" for n in range(2_100)) * 2
    dry, real = load(world.admin, text, dry_run=True), load(world.admin, text)
    assert (dry.added, dry.repeated) == (real.added, real.repeated) == (2_100, 2_100)


def test_an_empty_file_does_not_remove_everything(world: World) -> None:
    """A failed download is no source that has nothing left; meant, it is done."""
    load(world.admin, "203.0.113.7\n")
    with pytest.raises(NeedsConfirmation, match="nothing to list"):
        load(world.admin, "# nothing\n", format="plain", remove_missing=True)
    assert targets(world) == {"203.0.113.7"}
    report = load(world.admin, "# nothing\n", format="plain", remove_missing=True, force=True)
    assert report.removed == 1


def test_the_same_again_is_no_change(world: World) -> None:
    """No version, no record."""
    load(world.admin, "203.0.113.7\n203.0.113.8\n")
    before = Record.objects.count(), Version.objects.count()
    report = load(world.admin, "203.0.113.7\n203.0.113.8\n", remove_missing=True)
    assert (report.unchanged, report.applied) == (2, False)
    assert (Record.objects.count(), Version.objects.count()) == before


def test_thousands_in_any_pieces(world: World) -> None:
    """Across batches; a target named again, near or far below, is one listing."""
    lines = [f"203.0.{n // 250}.{n % 250}\n" for n in range(6_000)] + ["203.0.0.7\n"] * 2
    data = "".join(lines).encode()
    report = load(
        world.admin, (data[i : i + 777] for i in range(0, len(data), 777)), format="plain"
    )
    assert (report.added, report.repeated, report.lines) == (6_000, 2, 6_002)
    assert find_listings(world.viewer, Filter()).count() == 6_000
    assert len(set(Version.objects.values_list("number", flat=True))) == 6_000
    assert Record.objects.latest("seq").count == 6_000


def test_a_batch_of_all_kinds(world: World) -> None:
    """Whatever differs from row to row, and however many there are, each is kept as it is."""
    kinds = (
        "203.0.113.{}",
        "198.51.{}.0/24",
        "2001:db8::{}",
        "mail{}.spam.example",
        ".s{}.example",
    )
    rows = [
        (kinds[n % 5].format(n), f"r{n % 3}", f"127.0.0.{n % 7}" if n % 2 else "")
        for n in range(205)
    ]
    text = "target,reason,code\n" + "".join(f"{','.join(row)}\n" for row in rows)
    assert load(world.admin, text, format="csv").added == 205
    found = find_listings(world.viewer, Filter()).values_list("target", "reason", "code")
    assert {
        (target, reason, code_text(code) if code else "") for target, reason, code in found
    } == {(parse_target(target).text, reason, code) for target, reason, code in rows}


def test_of_two_lines_for_a_target_the_first_counts(world: World) -> None:
    """As Postfix and rbldnsd read their files."""
    load(world.admin, "203.0.113.0/24 REJECT one\n203.0.113.0/24 OK\n", format="postfix-cidr")
    load(world.admin, "target,reason\n203.0.113.7,one\n203.0.113.7,two\n", format="csv")
    found = find_listings(world.viewer, Filter())
    assert {(v.target, v.action, v.reason) for v in found} == {
        ("203.0.113.0/24", "block", "one"),
        ("203.0.113.7", "block", "one"),
    }


def test_as_a_persons(world: World) -> None:
    """With `mine` each is listed as if by hand: guards may be confirmed, listings are changed."""
    block(world.admin, "203.0.113.7", reason="by hand")
    report = load(world.admin, "203.0.113.7\n203.0.113.8\n", mine=True, reason="bulk")
    assert (report.added, report.changed) == (1, 1)
    assert {v.source for v in find_listings(world.viewer, Filter())} == {"person"}
    assert load(world.admin, "10.0.0.0/24\n", mine=True).bad == 1
    assert load(world.admin, "10.0.0.0/24\n", mine=True, force=True).added == 1
    with pytest.raises(BadInput, match="has no source"):
        load(world.admin, "203.0.113.7\n", mine=True, remove_missing=True)


@pytest.mark.parametrize("name", ["json", "csv"])
def test_a_round_through_a_file(world: World, name: str) -> None:
    """Export, remove all, import: every listing is as it was, in its scope, by its source."""
    add_server(world.admin, "mx1")
    block(world.admin, "203.0.113.0/24", reason='odd "quotes", commas; €', note="two\nlines")
    allow(world.admin, "203.0.113.7", server="mx1", lifetime="7d", code="127.0.0.9")
    block(world.admin, "2001:db8::/48", ".spam.example", "mail.spam.example")
    load(world.admin, "198.51.100.7\n")
    before = _comparable(world)
    text = "".join(export(world.viewer, name))
    Version.objects.filter(until=None).update(until=Record.objects.latest("seq").seq)
    report = load(world.admin, text, format=name, label="backup")
    assert (report.added, report.bad) == (6, 0), report.bad_lines
    assert _comparable(world) == before


def _comparable(world: World) -> set[tuple[object, ...]]:
    return {
        (v.target, v.action, v.scope, v.source, v.origin, v.reason, v.note, v.code, v.expires)
        for v in find_listings(world.viewer, Filter())
    }


def test_into_one_server(world: World) -> None:
    """A scope that the file names must exist."""
    add_server(world.admin, "mx1")
    load(world.admin, "203.0.113.7\n", server="mx1")
    assert {v.scope for v in find_listings(world.viewer, Filter())} != {0}
    with pytest.raises(NotFound):
        load(world.admin, "203.0.113.7\n", server="nope")
    report = load(
        world.admin,
        '[{"target": "203.0.113.9", "action": "block", "scope": "nope"}]',
        format="json",
    )
    assert "no server nope" in report.bad_lines[0]["problem"]


def test_what_has_run_out_is_left_out(world: World) -> None:
    """With a remark; and an export for a mail server leaves it out too."""
    gone = int(time.time()) - 10
    report = load(
        world.admin,
        f'[{{"target": "203.0.113.9", "action": "block", "expires": {gone}}}]',
        format="json",
    )
    assert (report.added, len(report.warnings)) == (0, 1)


def test_outsiders_get_an_empty_export(world: World) -> None:
    """Nothing of another account is in any format."""
    block(world.admin, "203.0.113.7", "203.0.113.0/24", "mail.spam.example", reason="ours")
    for name in ("json", "csv", "plain", "postfix-cidr", "postfix-access", "rbldnsd"):
        text = "".join(export(world.outsider, name))
        assert "203.0.113" not in text, name
        assert "ours" not in text, name
    with pytest.raises(NotFound):
        export(world.outsider, "json", server="mx1")


def test_an_export_for_one_server(world: World) -> None:
    """Its own and the account's, in the order that gives the same verdicts."""
    add_server(world.admin, "mx1")
    block(world.admin, "203.0.113.0/24")
    allow(world.admin, "203.0.113.7", server="mx1")
    account = "".join(export(world.viewer, "postfix-cidr"))
    assert "203.0.113.7" not in account
    text = "".join(export(world.viewer, "postfix-cidr", server="mx1"))
    assert text.index("203.0.113.7") < text.index("203.0.113.0/24")
    plain = "".join(export(world.viewer, "plain", server="mx1", action=Action.ALLOW))
    assert "203.0.113.7" in plain
