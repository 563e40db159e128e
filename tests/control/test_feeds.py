"""Feeds: fetched from a real HTTPS server, put in force as one change, kept through any failure."""

import gzip
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from mailmum.control.accounts.access import Reading, Writing, writing
from mailmum.control.config import current
from mailmum.control.dataplane.source import DatabaseSource
from mailmum.control.feeds import fetching, refreshing
from mailmum.control.feeds.editing import edit_feed
from mailmum.control.feeds.fetching import file_of
from mailmum.control.feeds.models import Content, Feed, FeedVersion
from mailmum.control.feeds.queries import find_feed, is_awaited, list_feeds, show_feed
from mailmum.control.feeds.reading import read_list
from mailmum.control.feeds.refreshing import due_feeds, forget_contents, refresh, refresh_due
from mailmum.control.feeds.services import (
    FIRST_REFRESH,
    add_feed,
    pause,
    refresh_feed,
    release,
    remove_feed,
    upload_feed,
)
from mailmum.control.feeds.wishes import make_wish
from mailmum.control.journal.models import Record
from mailmum.control.listings.queries import explain
from mailmum.control.listings.services import remove_server
from mailmum.control.listings.undo import undo
from mailmum.control.monitor.impact import check
from mailmum.control.monitor.lists import preview
from mailmum.control.servers.queries import find_server
from mailmum.control.servers.services import add_server, edit_server
from mailmum.daemons.outgoing import Outgoing, Unreached, Unsafe
from mailmum.domain.carving import MOST_HOLES
from mailmum.domain.clients import parse_subject
from mailmum.domain.codes import parse_code
from mailmum.domain.errors import BadInput, Conflict, Forbidden, NotFound, Refusal
from mailmum.domain.listings import Action
from mailmum.domain.reachable import parse_reachable
from mailmum.domain.targets import parse_target
from tests.control.test_listings import allow
from tests.support.https import Asked, Site, Write, https_site, text
from tests.support.world import World


def soon() -> float:
    """When a new feed is due, should nobody have refreshed it at once."""
    return time.time() + FIRST_REFRESH + 1


NETS = [f"198.51.{number}.0/24" for number in range(60)]


@pytest.fixture(scope="module")
def one_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests of this file."""
    with https_site(tmp_path_factory.mktemp("site")) as made:
        yield made


@pytest.fixture
def site(one_site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The server with nothing on it, which may be reached."""
    one_site.answers.clear()
    one_site.asked.clear()
    way = Outgoing(reach=parse_reachable("localhost"), trust=one_site.trust)
    monkeypatch.setattr(fetching, "outgoing", lambda: way)
    return one_site


def publish(site: Site, *lines: str) -> None:
    """Let the server have this list."""
    body = "\n".join(lines).encode() + b"\n"
    site.answers["/list"] = text(body)


def subscribe(access: Writing, site: Site, name: str = "drop", **fields: Any) -> Feed:
    """Subscribe to the server's list."""
    return add_feed(access, make_wish(name, site.url("/list"), **fields))


def verdict(access: Reading, client: str, server: str = "") -> tuple[str, str]:
    """The verdict on a client, and the origin of the listing that decided."""
    at = find_server(access, server) if server else None
    found = explain(access, parse_subject(client), at)
    return found.verdict.word.value, found.because.origin if found.because else ""


def state(access: Reading, name: str = "drop") -> str:
    """How a feed stands."""
    return str(show_feed(access, name)["state"])


def again(feed: Feed) -> str:
    """Refresh once more; what it came to."""
    outcome = refresh(feed.pk)
    assert outcome is not None
    return outcome.word


def test_a_list_is_fetched_and_holds(world: World, site: Site) -> None:
    """As one journal record however long it is; for its account only."""
    publish(site, *NETS, "2001:db8:1::/48", ".spam.example", "198.51.200.7")
    feed = subscribe(world.admin, site, reason="Listed by others")
    before = Record.objects.count()
    assert again(feed) == "current"
    assert Record.objects.count() == before + 1
    record = Record.objects.latest("seq")
    assert (record.what, record.count, record.actor) == ("feed.version", 63, "MailMum")
    for client in ("198.51.7.9", "2001:db8:1::5", "a.spam.example", "198.51.200.7"):
        assert verdict(world.viewer, client) == ("block", "drop")
        assert verdict(world.outsider, client) == ("none", "")
    found = explain(world.viewer, parse_subject("198.51.7.9"), None).because
    assert found is not None
    assert (found.target, found.reason, found.number) == (NETS[7], "Listed by others", -feed.pk)
    assert verdict(world.viewer, "198.51.61.1") == ("none", "")
    (met,) = check(world.viewer, parse_target("198.51.7.9"), whole=True).covered_by
    assert (met.target, met.origin) == (NETS[7], "drop")


def test_people_outrank_feeds_and_allowing_feeds_outrank_blocking_ones(
    world: World, site: Site
) -> None:
    """As for all that machines list."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site)
    refresh(feed.pk)
    allow(world.admin, "198.51.7.0/24")
    assert verdict(world.viewer, "198.51.7.1") == ("allow", "")
    site.answers["/good"] = text(b"198.51.0.0/20\n")
    good = add_feed(world.admin, make_wish("good", site.url("/good"), action="allow"))
    refresh(good.pk)
    assert verdict(world.viewer, "198.51.3.1") == ("allow", "good")
    assert verdict(world.viewer, "198.51.33.1") == ("block", "drop")


def test_what_left_the_source_leaves_the_feed(world: World, site: Site) -> None:
    """And what came is told, with a sample."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site)
    again(feed)
    publish(site, *NETS[2:], "203.0.113.0/24")
    assert again(feed) == "current"
    assert verdict(world.viewer, "198.51.0.9") == ("none", "")
    assert verdict(world.viewer, "203.0.113.9") == ("block", "drop")
    newest, older = show_feed(world.viewer, "drop")["versions"]
    assert (newest["added"], newest["removed"]) == (1, 2)
    assert newest["sample_added"] == ["203.0.113.0/24"]
    assert newest["sample_removed"] == NETS[:2]
    assert (newest["state"], older["state"]) == ("current", "past")


def test_an_unchanged_list_is_not_sent_again(world: World, site: Site) -> None:
    """By its tag; or by its bytes, where a server has none."""

    def answer(asked: Asked, write: Write) -> None:
        known = asked.headers.get("if-none-match") == '"1"'
        text(b"" if known else b"192.0.2.0/24\n", 304 if known else 200, ETag='"1"')(asked, write)

    site.answers["/list"] = answer
    feed = subscribe(world.admin, site)
    assert [again(feed), again(feed)] == ["current", "unchanged"]
    assert site.asked[1].headers["if-none-match"] == '"1"'
    publish(site, "192.0.2.0/24")
    records = Record.objects.count()
    assert [again(feed), again(feed)] == ["unchanged", "unchanged"]
    assert Record.objects.count() == records
    assert state(world.viewer) == "ok"


@pytest.mark.parametrize(
    ("lines", "told"),
    [(NETS[:20], "it shrank from 60"), ([*NETS, *(f"203.0.{n}.1" for n in range(99))], "it grew")],
)
def test_a_suspicious_update_waits_for_a_person(
    world: World, site: Site, lines: list[str], told: str
) -> None:
    """What held before holds; released it is one change of that person's."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site)
    again(feed)
    publish(site, *lines)
    assert [again(feed), again(feed)] == ["held", "unchanged"]
    assert state(world.viewer) == "held"
    assert told in show_feed(world.viewer, "drop")["versions"][0]["held"]
    assert verdict(world.viewer, "198.51.59.1") == ("block", "drop")
    release(world.admin, "drop")
    assert state(world.viewer) == "ok"
    assert Record.objects.latest("seq").actor == "admin@example.net"
    assert show_feed(world.viewer, "drop")["entries"] == len(lines)
    with pytest.raises(Conflict, match="nothing of the feed drop is held back"):
        release(world.admin, "drop")


def test_an_update_that_was_dropped_does_not_come_back(world: World, site: Site) -> None:
    """Until the source says something else."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site)
    again(feed)
    publish(site, "192.0.2.1")
    again(feed)
    release(world.admin, "drop", drop=True)
    publish(site, "192.0.2.1", "# another comment")
    assert again(feed) == "unchanged"
    assert state(world.viewer) == "ok"
    publish(site, "192.0.2.2")
    assert again(feed) == "held"
    publish(site, *NETS[1:])
    assert again(feed) == "current"
    assert state(world.viewer) == "ok"
    publish(site, "192.0.2.1")
    assert again(feed) == "held"


def test_what_a_source_takes_back_waits_no_more(world: World, site: Site) -> None:
    """And is held back again, should it come again: nobody has decided about it."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site)
    again(feed)
    for _ in range(2):
        publish(site, "192.0.2.1")
        assert again(feed) == "held"
        publish(site, *NETS)
        assert again(feed) == "unchanged"
        assert state(world.viewer) == "ok"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (text(b"gone", 404), "answers with HTTP 404"),
        (text(b"<html>\n<p>Please sign in\n"), "the format of the file"),
        (text(b""), "the file is empty"),
        (text(b"# nothing today\n"), "is unclear"),
        (text(gzip.compress(b"192.0.2.1\n")[:-4]), "packed with gzip, and damaged"),
        (
            lambda _asked, write: write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"),
            "localhost",
        ),
    ],
)
def test_the_last_good_version_stays(world: World, site: Site, answer: Any, told: str) -> None:
    """Through any failure; tried again sooner than the interval, ever later."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site, every="12h")
    again(feed)
    site.answers["/list"] = answer
    pauses = []
    for _ in range(3):
        assert again(feed) == "failed"
        pauses.append(Feed.objects.get(pk=feed.pk).due - time.time())
    assert 0 < pauses[0] < pauses[1] < pauses[2] < 3600
    found = show_feed(world.viewer, "drop")
    assert found["state"] == "failing"
    assert told in found["problem"]
    assert verdict(world.viewer, "198.51.7.1") == ("block", "drop")
    publish(site, *NETS[1:])
    assert again(feed) == "current"
    assert state(world.viewer) == "ok"


def test_a_line_that_is_none_in_a_list_that_is_known(world: World, site: Site) -> None:
    """Most of it is what it was: so the line is told, and with more of them which is the first."""
    nets = [f"198.{51 + number // 250}.{number % 250}.7" for number in range(400)]
    publish(site, *nets)
    feed = subscribe(world.admin, site)
    again(feed)
    publish(site, *nets[:300], "as of today", *nets[300:], "203.0.113.1")
    assert again(feed) == "current"
    (newest, _) = show_feed(world.viewer, "drop")["versions"]
    assert (newest["bad"], newest["bad_lines"][0]["text"]) == (1, "'as of today'")
    publish(site, *nets[:300], *["as of today"] * 9)
    assert again(feed) == "failed"
    told = show_feed(world.viewer, "drop")["problem"]
    assert "9 of 309 lines cannot be read as plain, the first is line 301" in told
    add_feed(world.admin, make_wish("mine", "", kind="upload"))
    for lines in (nets, ["as of today", *nets, "203.0.113.1"]):
        assert upload_feed(world.admin, "mine", "\n".join(lines).encode()).word == "current"


def test_the_same_list_is_kept_once(world: World, site: Site) -> None:
    """In the database, and in the memory of whoever answers, whoever subscribes."""
    publish(site, *NETS)
    for access in (world.admin, world.outsider):
        again(subscribe(access, site))
    assert Content.objects.count() == 1
    source = DatabaseSource()
    one, other = source.load().feeds
    assert one.entries is other.entries
    assert one.account != other.account


def test_followers_see_a_version_at_once(world: World, site: Site) -> None:
    """What following gives is what loading gives; the account's feeds come as a whole."""
    publish(site, *NETS)
    source = DatabaseSource()
    at = source.load().position
    feed = subscribe(world.admin, site)
    again(feed)
    *_, last = source.changes(at)
    ((account, feeds),) = last.feeds
    assert account == world.admin.account.pk
    assert feeds == source.load().feeds
    edit_feed(world.admin, "drop", {"code": "127.0.0.9"})
    *_, last = source.changes(last.position)
    assert [one.code for _, feeds in last.feeds for one in feeds] == [parse_code("127.0.0.9")]
    pause(world.admin, "drop", paused=True)
    *_, last = source.changes(last.position)
    assert last.feeds == ((account, ()),)


def test_the_own_servers_are_kept_out(world: World, site: Site) -> None:
    """Also those that become known later; the account of others is not concerned."""
    publish(site, *NETS, ".spam.example")
    add_server(world.admin, "mx1", addresses=["198.51.7.25"])
    for access in (world.admin, world.outsider):
        again(subscribe(access, site))
    assert verdict(world.viewer, "198.51.7.1") == ("none", "")
    assert verdict(world.outsider, "198.51.7.1") == ("block", "drop")
    assert show_feed(world.viewer, "drop")["versions"][0]["own_servers"] == [NETS[7]]
    edit_server(world.admin, "mx1", addresses=["198.51.8.25", "mx1.spam.example"])
    assert [outcome.word for outcome in refresh_due(time.time())] == ["current"]
    assert verdict(world.viewer, "198.51.7.1") == ("block", "drop")
    for client in ("198.51.8.1", "a.spam.example"):
        assert verdict(world.viewer, client) == ("none", "")
    assert list(refresh_due(time.time())) == []


def test_how_many_cover_own_servers_is_told(world: World, site: Site) -> None:
    """Before one subscribes, with the feed however its servers change, and in the journal."""
    publish(site, *NETS[:3])
    add_server(world.admin, "mx1", addresses=["198.51.0.25", "198.51.2.25"])
    looked = preview(world.admin, make_wish("drop", site.url("/list")))
    assert (looked["entries"], looked["sample"]) == (1, [NETS[1]])
    assert looked["own_servers"] == [NETS[0], NETS[2]]
    assert again(subscribe(world.admin, site)) == "current"
    assert Record.objects.latest("seq").summary.endswith("2 left out for the own servers")
    edit_server(world.admin, "mx1", addresses=["198.51.0.25", "198.51.1.25", "198.51.2.25"])
    list(refresh_due(time.time()))
    (told,) = list_feeds(world.viewer)
    assert (told["state"], told["entries"], told["kept_out"]) == ("ok", 0, 3)


def test_a_list_of_what_no_feed_may_list_is_refused(world: World, site: Site) -> None:
    """With how many there were, and why."""
    publish(site, "10.0.0.0/8", "192.168.1.1")
    with pytest.raises(BadInput, match=r"nothing to list in it \(.*1 left out: is in private"):
        preview(world.admin, make_wish("drop", site.url("/list")))


def test_what_a_feed_can_never_list_is_left_out_and_told(world: World, site: Site) -> None:
    """Published lists have such entries for their own reasons."""
    publish(site, *NETS, "10.0.0.0/8", "127.0.0.0/8", "192.168.1.1", "198.0.0.0/8", "fe80::/10")
    feed = subscribe(world.admin, site)
    assert again(feed) == "current"
    told = show_feed(world.viewer, "drop")["versions"][0]["left_out"]
    assert sum(told.values()) == 5
    assert show_feed(world.viewer, "drop")["entries"] == 60


def test_exceptions_are_taken_out(world: World, site: Site) -> None:
    """An excluded address of an rbldnsd list is not blocked, nor allowed."""
    publish(site, "192.0.2.0/24", "!192.0.2.8")
    feed = subscribe(world.admin, site, format_="ip4trie")
    assert again(feed) == "current"
    assert verdict(world.viewer, "192.0.2.9") == ("block", "drop")
    assert verdict(world.viewer, "192.0.2.8") == ("none", "")


def test_a_list_of_nothing_but_exceptions_is_not_kept_in_memory() -> None:
    """It is refused at the first that is too many, not when all have been read."""
    lines = b"".join(b"!192.0.%d.%d\n" % divmod(number, 256) for number in range(MOST_HOLES + 2))
    with pytest.raises(BadInput, match="more than 10000 exceptions"):
        read_list(lines + b"no target\n" * 100, "ip4set", Action.BLOCK)


def test_a_feed_of_one_server(world: World, site: Site) -> None:
    """Holds there and nowhere else."""
    publish(site, *NETS)
    for name in ("mx1", "mx2"):
        add_server(world.admin, name)
    again(subscribe(world.admin, site, server="mx1"))
    assert verdict(world.viewer, "198.51.7.1", "mx1") == ("block", "drop")
    assert verdict(world.viewer, "198.51.7.1", "mx2") == ("none", "")


def test_a_feed_of_a_server_that_was_removed(world: World, site: Site) -> None:
    """Holds nowhere and waits for nothing, and says so; the server comes back, and so does it."""
    add_server(world.admin, "mx1")
    publish(site, *NETS)
    feed = subscribe(world.admin, site, server="mx1")
    again(feed)
    removal, _ = remove_server(world.admin, "mx1")
    Feed.objects.update(due=0)
    told = show_feed(world.viewer, "drop")
    assert (told["state"], told["next"], told["scope"]) == ("idle", None, "mx1")
    assert [one["state"] for one in list_feeds(world.viewer)] == ["idle"]
    assert not is_awaited(find_feed(world.viewer, "drop"), time.time())
    undo(world.admin, removal)
    assert state(world.viewer) == "ok"
    assert is_awaited(find_feed(world.viewer, "drop"), time.time())
    removal, _ = remove_server(world.admin, "mx1")
    edit_feed(world.admin, "drop", {"server": ""})
    assert state(world.viewer) == "ok"


def test_two_workers_never_refresh_one_feed(world: World, site: Site) -> None:
    """While one is at it the other finds nothing due, and cannot be made to."""
    feed = subscribe(world.admin, site)
    seen: list[Any] = []

    def slowly(account: int, *_: str) -> fetching.Fetched:
        seen.extend([due_feeds(soon()), refresh(feed.pk)])
        with pytest.raises(Conflict, match="being refreshed just now"):
            refresh_feed(world.admin, "drop")
        return fetching.Fetched(b"192.0.2.1\n")

    assert due_feeds(time.time()) == []
    assert due_feeds(soon()) == [feed.pk]
    outcome = refresh(feed.pk, slowly)
    assert outcome is not None
    assert outcome.word == "current"
    assert seen == [[], None]
    assert due_feeds(soon()) == []
    due = Feed.objects.get(pk=feed.pk).due
    assert due_feeds(due) == [feed.pk]
    assert 6 * 3600 <= due - time.time() + 60 <= 6 * 3600 * 1.1 + 60


def test_a_worker_that_dies_gives_its_feed_back(
    world: World, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its lease has ended."""
    feed = subscribe(world.admin, site)
    Feed.objects.filter(pk=feed.pk).update(leased=time.time() + refreshing.LEASE)
    assert due_feeds(soon()) == []
    assert due_feeds(time.time() + refreshing.LEASE + 1) == [feed.pk]


def test_a_feed_rests_and_goes_on(world: World, site: Site) -> None:
    """While it rests its entries do not count, and it is not refreshed."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site)
    again(feed)
    pause(world.admin, "drop", paused=True)
    assert (state(world.viewer), verdict(world.viewer, "198.51.7.1")) == ("paused", ("none", ""))
    assert due_feeds(time.time() + 10**6) == []
    pause(world.admin, "drop", paused=False)
    assert verdict(world.viewer, "198.51.7.1") == ("block", "drop")


def test_a_feed_that_is_removed_leaves_nothing(
    world: World, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is free, and contents that nobody has are removed."""
    publish(site, *NETS)
    again(subscribe(world.admin, site))
    monkeypatch.setattr(refreshing, "LEASE", 0.0)
    remove_feed(world.admin, "drop")
    assert verdict(world.viewer, "198.51.7.1") == ("none", "")
    assert not Content.objects.exists()
    subscribe(world.admin, site)


def test_contents_in_use_stay(world: World, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of feeds, and of updates that are held back."""
    publish(site, *NETS)
    feed = subscribe(world.admin, site)
    again(feed)
    publish(site, "192.0.2.1")
    again(feed)
    monkeypatch.setattr(refreshing, "LEASE", 0.0)
    forget_contents()
    assert Content.objects.count() == 2
    release(world.admin, "drop")
    assert Content.objects.count() == 1


def test_an_upload_is_renewed_by_the_next(world: World) -> None:
    """It is what a person means, so it is never held back."""
    add_feed(world.admin, make_wish("mine", ""))
    assert upload_feed(world.admin, "mine", "\n".join(NETS).encode()).word == "current"
    assert upload_feed(world.admin, "mine", b"192.0.2.1\n").word == "current"
    assert verdict(world.viewer, "198.51.7.1") == ("none", "")
    assert verdict(world.viewer, "192.0.2.1") == ("block", "mine")
    with pytest.raises(BadInput, match="renewed by uploads"):
        refresh_feed(world.admin, "mine")
    with pytest.raises(BadInput, match="unclear"):
        upload_feed(world.admin, "mine", b"what is this\n")
    assert verdict(world.viewer, "192.0.2.1") == ("block", "mine")


def test_a_file_is_read_from_its_folder_only(world: World) -> None:
    """Neither up nor along a link; people of an account must not read the machine's files."""
    folder = current().data / "feeds" / str(world.admin.account.pk)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.txt").write_text("192.0.2.7\n")
    link = folder / "link.txt"
    link.unlink(missing_ok=True)
    link.symlink_to("/etc/passwd")
    feed = add_feed(world.admin, make_wish("own", "file:own.txt"))
    assert (feed.kind, feed.source) == ("file", "own.txt")
    assert again(feed) == "current"
    assert verdict(world.viewer, "192.0.2.7") == ("block", "own")
    for path in (
        "../mailmum.toml",
        "file:../x",
        "/etc/passwd",
        "link.txt",
        ".",
        "a\0b",
        "x/../../secret.key",
    ):
        with pytest.raises(BadInput, match="not below the folder"):
            add_feed(world.admin, make_wish("bad", path, kind="file"))
    (folder / "own.txt").unlink()
    assert again(feed) == "failed"
    assert "No such file" in show_feed(world.viewer, "own")["problem"]


def test_files_of_another_account_are_out_of_reach(world: World) -> None:
    """Neither its folder, nor the one that all shared before, which is the first account's now."""
    first, other = world.admin.account.pk, world.outsider.account.pk
    shared = current().data / "feeds"
    for place in (shared / str(first), shared / str(other), shared):
        place.mkdir(parents=True, exist_ok=True)
    (shared / "shared.txt").write_text("192.0.2.7\n")
    (shared / "both.txt").write_text("192.0.2.8\n")
    (shared / str(first) / "both.txt").write_text("192.0.2.9\n")
    (shared / str(other) / "secret.txt").write_text("192.0.2.10\n")
    (shared / "way.txt").unlink(missing_ok=True)
    (shared / "way.txt").symlink_to(shared / str(other) / "secret.txt")
    assert file_of(first, "shared.txt") == (shared / "shared.txt").resolve()
    assert preview(world.admin, make_wish("a", "both.txt"))["sample"] == ["192.0.2.9"]
    assert preview(world.outsider, make_wish("a", "secret.txt"))["sample"] == ["192.0.2.10"]
    for path in ("shared.txt", "both.txt", f"{first}/both.txt"):
        feed = add_feed(world.outsider, make_wish(path.replace("/", "-"), path))
        assert again(feed) == "failed"
    for path in ("secret.txt", f"{other}/secret.txt", "way.txt"):
        with pytest.raises(Unreached, match="No such file"):
            preview(world.admin, make_wish("a", path))
    with pytest.raises(Unreached, match=f"feeds/{other} of the data folder"):
        preview(world.outsider, make_wish("a", "shared.txt"))
    assert preview(world.admin, make_wish("a", "shared.txt"))["sample"] == ["192.0.2.7"]


def test_a_list_whose_end_is_missing_is_refused() -> None:
    """However long it is: that is one bad line of many, and not the list that it was."""
    nets = [f'{{"cidr":"198.51.{number % 250}.{number // 250}"}}' for number in range(500)]
    meta = '{"type":"metadata","records":500}'
    whole = read_list("\n".join([*nets, meta]).encode(), "", Action.BLOCK)
    assert len(whole.builder) == 500
    for cut in (nets, [*nets[:-1], meta]):
        with pytest.raises(BadInput, match="its end is missing"):
            read_list("\n".join(cut).encode(), "", Action.BLOCK)
    rows = ",".join(f'{{"target":"198.51.{number}.0/24"}}' for number in range(250))
    assert len(read_list(f"[{rows}]".encode(), "json", Action.BLOCK).builder) == 250
    with pytest.raises(BadInput, match=r"before the closing \]"):
        read_list(f"[{rows}".encode(), "json", Action.BLOCK)
    lines = rows.replace(",", "\n").encode()
    for body in (lines, lines + b"\n"):
        assert len(read_list(body, "json", Action.BLOCK).builder) == 250
    with pytest.raises(BadInput, match="ends inside this object"):
        read_list(lines[:-5], "json", Action.BLOCK)
    with pytest.raises(BadInput, match=r"^2 of 2 lines cannot be read"):
        read_list(b'{"cidr":1}\n{"cidr":2}', "drop-json", Action.BLOCK)


def test_a_preview_tells_what_the_own_servers_keep_out(world: World, site: Site) -> None:
    """The same numbers as what is kept then."""
    publish(site, *NETS)
    add_server(world.admin, "mx1", addresses=["198.51.7.25"])
    found = preview(world.admin, make_wish("drop", site.url("/list")))
    assert (found["entries"], found["own_servers"]) == (59, [NETS[7]])
    again(subscribe(world.admin, site))
    kept = show_feed(world.viewer, "drop")
    assert (kept["entries"], kept["versions"][0]["own_servers"]) == (59, [NETS[7]])


def test_a_preview_keeps_nothing(world: World, site: Site) -> None:
    """It tells what would come."""
    publish(site, *NETS, "10.1.1.1")
    found = preview(world.admin, make_wish("drop", site.url("/list")))
    assert (found["entries"], found["format"], len(found["sample"])) == (60, "plain", 20)
    assert found["left_out"] == {"is in private space": 1}
    assert not Content.objects.exists()
    with pytest.raises(Refusal, match="answers with HTTP 404"):
        preview(world.admin, make_wish("drop", site.url("/none")))


def test_private_places_are_not_fetched(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor when they were reached once; the feed says why it fails."""
    with monkeypatch.context() as once:
        once.setattr(fetching, "outgoing", lambda: Outgoing(reach=parse_reachable("127.0.0.1")))
        feed = add_feed(world.admin, make_wish("inside", "https://127.0.0.1:8053/"))
    assert again(feed) == "failed"
    assert "is in loopback space" in show_feed(world.viewer, "inside")["problem"]


def test_only_those_who_may_change_feeds(world: World, site: Site) -> None:
    """Viewers look; to others it does not exist."""
    publish(site, *NETS)
    subscribe(world.admin, site)
    assert [feed["name"] for feed in list_feeds(world.viewer)] == ["drop"]
    assert list_feeds(world.outsider) == []
    with pytest.raises(Forbidden):
        writing(world.viewer)
    for act in (
        refresh_feed,
        remove_feed,
        release,
        partial(pause, paused=True),
        partial(upload_feed, body=b""),
    ):
        with pytest.raises(NotFound, match="there is no feed drop"):
            act(world.outsider, name="drop")
    with pytest.raises(NotFound):
        find_feed(world.outsider, "drop")
    with pytest.raises(NotFound, match="no server"):
        subscribe(world.outsider, site, server="mx1")
    with pytest.raises(Conflict, match="there is a feed drop already"):
        subscribe(world.admin, site)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a/b"}, "name"),
        ({"source": "http://lists.example/"}, "source"),
        ({"format_": "xml"}, "format"),
        ({"action": "burn"}, "action"),
        ({"every": "1m"}, "every"),
        ({"every": "5w"}, "every"),
        ({"shrink": 101}, "shrink"),
        ({"grow": -1}, "grow"),
        ({"code": "10.0.0.1"}, "code"),
        ({"kind": "gopher"}, "kind"),
        ({"reason": "a\nb"}, "reason"),
    ],
)
def test_wishes_that_are_refused(fields: dict[str, Any], field: str) -> None:
    """Each names the field at fault."""
    given = {"name": "drop", "source": "https://lists.example/a"} | fields
    with pytest.raises(BadInput) as caught:
        make_wish(given.pop("name"), given.pop("source"), **given)
    assert caught.value.field == field


def test_an_address_that_is_never_reached_makes_no_feed(world: World) -> None:
    """Whatever is or will be there; what a name stands for is seen when it is asked."""
    for host in ("10.0.0.1", "[::1]", "localhost"):
        with pytest.raises(Unsafe, match="not reached from here") as caught:
            add_feed(world.admin, make_wish("drop", f"https://{host}/list"))
        assert caught.value.field == "source"
    assert not Feed.objects.exists()
    add_feed(world.admin, make_wish("drop", "https://lists.example/list"))
    assert Feed.objects.get().name == "drop"


def test_versions_are_forgotten_in_the_end(
    world: World, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest are kept."""
    monkeypatch.setattr(refreshing, "KEPT_VERSIONS", 3)
    feed = subscribe(world.admin, site)
    for number in range(6):
        publish(site, f"192.0.2.{number}")
        assert again(feed) == "current"
    assert FeedVersion.objects.filter(feed=feed).count() == 3


def test_the_worker_refreshes_what_is_due(world: World, site: Site) -> None:
    """One after the other, until nothing is."""
    publish(site, *NETS)
    subscribe(world.admin, site)
    subscribe(world.outsider, site)
    assert [outcome.word for outcome in refresh_due(soon())] == ["current", "current"]
    assert list(refresh_due(soon())) == []
