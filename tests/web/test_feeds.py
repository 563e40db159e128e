"""Feeds in the browser."""

import time
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from mailmum.control.config import current
from mailmum.control.feeds import fetching
from mailmum.control.feeds.models import Feed
from mailmum.control.feeds.queries import list_feeds, show_feed
from mailmum.control.feeds.refreshing import refresh_due
from mailmum.control.feeds.services import add_feed, refresh_feed
from mailmum.control.feeds.wishes import make_wish
from mailmum.control.servers.services import add_server
from mailmum.daemons.outgoing import Outgoing
from mailmum.domain.reachable import parse_reachable
from mailmum.traffic.sightings import Outcome
from tests.control import providers_kit
from tests.control.monitor import conftest
from tests.control.monitor.kit import Traffic
from tests.control.providers_kit import provider
from tests.support.nameserver import NameServer
from tests.support.world import World
from tests.web.conftest import Visitors, text_of

names = providers_kit.names
traffic = conftest.traffic


def put(name: str, *lines: str) -> None:
    """Put a file into the folder of feeds."""
    folder: Path = current().data / "feeds"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")


def work() -> None:
    """Let the worker have its turn."""
    list(refresh_due(time.time()))


@pytest.fixture
def held(world: World) -> None:
    """A feed of which an update is held back."""
    put("web.txt", *(f"203.0.113.{number}" for number in range(60)), "10.0.0.1")
    add_feed(world.admin, make_wish("own list", "web.txt", reason="<i>Listed</i>"))
    put("web.txt", *(f"203.0.113.{number}" for number in range(100)), "10.0.0.1")
    refresh_feed(world.admin, "own list")
    put("web.txt", "203.0.113.1")
    refresh_feed(world.admin, "own list")


def test_without_feeds_the_list_says_what_to_do(site: Visitors) -> None:
    """Who may add one gets a button for it, a viewer the reason why there is none."""
    assert "Subscribe to a list" in text_of(site.admin.get("feeds"))
    page = site.viewer.get("feeds")
    assert "owners and admins can add feeds" in text_of(page)
    assert site.viewer.path("feed-add") not in page.content.decode()


def test_a_look_keeps_nothing_and_subscribing_does(site: Visitors, world: World) -> None:
    """First what would come, with what is left out; then for good."""
    put("look.txt", "203.0.113.7", ".spam.example", "192.168.1.1")
    wanted = {"kind": "file", "name": "own", "source": "look.txt", "every": "6h", "action": "block"}
    page = text_of(site.admin.post("feed-add", {**wanted, "look": "1"}))
    for words in ("2 entries, read as plain", "1 left out: is in private space", ".spam.example"):
        assert words in page
    assert not Feed.objects.exists()
    response = site.admin.post("feed-add", wanted)
    assert response.redirect_chain[-1][0] == site.admin.path("feed", name="own")
    page = text_of(response)
    for words in ("Subscribed to own.", "Nothing has come yet", "It is being refreshed."):
        assert words in page
    work()
    assert "Works , 2 entries" in text_of(site.admin.get("feed", name="own"))
    assert show_feed(world.viewer, "own")["entries"] == 2
    told = text_of(site.viewer.get("client", query={"q": "203.0.113.7"}))
    assert "203.0.113.7 blocked for the account by own feed" in told
    assert site.viewer.path("feed", name="own") in (
        site.viewer.get("client", query={"q": "203.0.113.7"}).content.decode()
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "", "source": "https://lists.example/"}, "a feed needs a name"),
        ({"name": "x", "source": "http://lists.example/"}, "does not begin with https://"),
        ({"name": "x", "source": "https://127.0.0.1/", "look": "1"}, "is in loopback space"),
        ({"name": "x", "kind": "file", "source": "../secret.key"}, "not below the folder"),
        ({"name": "x", "kind": "upload"}, "no file was chosen"),
        ({"name": "x", "kind": "spf", "source": "a b"}, "may only have letters"),
        ({"name": "x", "source": "https://lists.example/", "format": "xml"}, "is no format"),
    ],
)
def test_a_feed_that_cannot_be_added(site: Visitors, fields: dict[str, str], says: str) -> None:
    """The domain's words, and nothing is added."""
    assert says in text_of(site.admin.post("feed-add", {"every": "6h", **fields}))
    assert not Feed.objects.exists()


def test_a_feed_that_cannot_be_had_stays_and_says_why(
    site: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the list's server that is away; what is never reached is refused at once."""
    wanted = {"name": "inside", "source": "https://127.0.0.1/t0ken", "every": "6h"}
    page = text_of(site.admin.post("feed-add", wanted))
    assert "127.0.0.1 is in loopback space and is not reached from here" in page
    with monkeypatch.context() as once:
        once.setattr(fetching, "outgoing", lambda: Outgoing(reach=parse_reachable("127.0.0.1")))
        site.admin.post("feed-add", wanted)
    work()
    page = text_of(site.admin.get("feed", name="inside"))
    assert "It cannot be refreshed" in page
    assert "last good version" not in page
    assert "127.0.0.1 is in loopback space" in page
    assert "t0ken" in page
    assert "Fails" in text_of(site.viewer.get("feeds"))
    for page in (site.viewer.get("feeds"), site.viewer.get("feed", name="inside")):
        assert "https://127.0.0.1/…" in page.content.decode()
        assert "t0ken" not in page.content.decode()


def test_the_worker_refreshes_what_is_asked_for(site: Visitors, world: World, held: None) -> None:
    """The page does not wait for the list's server; it asks until something has come of it."""
    put("web.txt", *(f"203.0.113.{number}" for number in range(90)))
    page = site.admin.post("feed-act", {"do": "refresh"}, name="own list")
    assert "It is being refreshed." in text_of(page)
    assert show_feed(world.viewer, "own list")["entries"] == 100
    assert site.viewer.fragment("feed", {}, name="own list").status_code == 204
    work()
    page = text_of(site.admin.fragment("feed", {}, name="own list"))
    assert "Refreshed. 90 entries." in page
    assert "It is being refreshed." not in page
    assert "Refreshed." not in text_of(site.admin.get("feed", name="own list"))
    site.admin.post("feed-act", {"do": "pause"}, name="own list")
    page = text_of(site.admin.post("feed-act", {"do": "refresh"}, name="own list"))
    assert "the feed own list rests" in page
    assert site.viewer.post("feed-act", {"do": "refresh"}, name="own list").status_code == 403
    assert site.outsider.fragment("feed", {}, name="own list").status_code == 404


def test_a_look_at_an_upload(site: Visitors, world: World, traffic: Traffic) -> None:
    """What would come and whom it would hit; the file goes along, and nothing is kept before."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    wanted = {"kind": "upload", "name": "mine", "server": "mx1", "reason": "Listed"}
    file = SimpleUploadedFile("list.csv", b"target\n198.51.100.0/24\n10.0.0.1\n")
    looked = site.admin.post("feed-add", wanted | {"file": file, "look": "1"})
    page = text_of(looked)
    for words in (
        "1 entry, read as csv",
        "1 left out: is in private space",
        "Dangerous",
        "1 client delivered 12 accepted messages in 30 days: it would be rejected",
        "198.51.100.201",
        "list.csv is at hand",
    ):
        assert words in page
    assert not Feed.objects.exists()
    carried = {name: looked.context["form"].values[name] for name in ("packed", "named")}
    site.admin.post("feed-add", wanted | carried)
    told = show_feed(world.owner, "mine")
    assert (told["entries"], told["versions"][0]["format"], told["scope"]) == (1, "csv", "mx1")
    # What is chosen now counts before what came along.
    other = SimpleUploadedFile("list.txt", b"203.0.113.1\n203.0.113.2\n")
    site.admin.post("feed-add", {"kind": "upload", "name": "other", "file": other} | carried)
    assert show_feed(world.owner, "other")["entries"] == 2
    page = text_of(site.admin.post("feed-add", wanted | {"name": "third", "packed": "AAAA"}))
    assert "did not come along whole" in page
    assert site.viewer.post("feed-add", wanted | carried).status_code == 403


def test_a_look_at_names_that_were_only_asked_for(site: Visitors, traffic: Traffic) -> None:
    """Whose they are nobody knows: lookups are told, and there is no table of clients."""
    traffic.asked("out1.news.example", Outcome.CONNECTED, 3)
    file = SimpleUploadedFile("list.txt", b".news.example\n")
    wanted = {"kind": "upload", "name": "mine", "file": file, "look": "1"}
    page = text_of(site.admin.post("feed-add", wanted))
    assert "Lookups seen 3" in page
    assert "Client Accepted" not in page


def test_a_long_name_of_an_upload_keeps_its_end(site: Visitors, world: World) -> None:
    """What was looked at as one format is not read as another when it is taken."""
    wanted = {"kind": "upload", "name": "mine"}
    file = SimpleUploadedFile(f"{'drop-' * 20}.ip4set", b"203.0.113.7\n")
    looked = site.admin.post("feed-add", wanted | {"file": file, "look": "1"})
    assert "read as ip4set" in text_of(looked)
    carried = {name: looked.context["form"].values[name] for name in ("packed", "named")}
    site.admin.post("feed-add", wanted | carried)
    assert show_feed(world.owner, "mine")["versions"][0]["format"] == "ip4set"


def test_a_look_at_an_upload_that_is_too_large_for_it(
    site: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command that takes it is told; it may be subscribed to all the same."""
    monkeypatch.setattr("mailmum.web.carried.FILE_LIMIT", 10)
    wanted = {"kind": "upload", "name": "mine"}
    file = SimpleUploadedFile("list.txt", b"203.0.113.7\n")
    page = text_of(site.admin.post("feed-add", wanted | {"file": file, "look": "1"}))
    assert "look with: mailmum feed add NAME FILE --dry-run" in page
    file.seek(0)
    assert "1 entry" in text_of(site.admin.post("feed-add", wanted | {"file": file}))


def test_whom_an_allowing_list_would_hit(site: Visitors) -> None:
    """Nobody, so nothing is said; of one that was never seen it is said."""
    put("good.txt", "203.0.113.7")
    wanted = {"kind": "file", "name": "own", "source": "good.txt", "every": "6h", "look": "1"}
    page = text_of(site.admin.post("feed-add", wanted | {"action": "allow"}))
    assert "Nothing is kept yet" in page
    assert "Whom it would hit" not in page
    page = text_of(site.admin.post("feed-add", wanted | {"action": "block"}))
    assert "Nothing was seen of it" in page


def test_an_upload(site: Visitors, world: World) -> None:
    """Added, and renewed on its page."""
    first = SimpleUploadedFile("list.txt", b"203.0.113.7\n203.0.113.8\n")
    page = site.admin.post("feed-add", {"kind": "upload", "name": "mine", "file": first})
    assert "2 entries" in text_of(page)
    second = SimpleUploadedFile("list.txt", b"203.0.113.7\n")
    page = site.admin.post("feed-act", {"do": "upload", "file": second}, name="mine")
    assert "Refreshed. 1 entry." in text_of(page)
    assert "Left: 203.0.113.8" in text_of(page)
    page = site.admin.post("feed-act", {"do": "upload"}, name="mine")
    assert "no file was chosen" in text_of(page)
    assert show_feed(world.viewer, "mine")["entries"] == 1
    # What is never held back has no limits to show or to change.
    assert "Held back" not in text_of(page)
    form = {"do": "edit", "server": "", "reason": "Listed", "code": ""}
    assert "Changed mine" in text_of(site.admin.post("feed-act", form, name="mine"))
    assert show_feed(world.viewer, "mine")["reason"] == "Listed"


def test_a_look_before_a_renewal(
    site: Visitors, world: World, traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would come and go, and whom it would hit; the file goes along to the renewal."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    first = SimpleUploadedFile("list.csv", b"target\n203.0.113.7\n203.0.113.8\n")
    site.admin.post("feed-add", {"kind": "upload", "name": "mine", "file": first})
    assert "Look what would change" in text_of(site.admin.get("feed", name="mine"))
    second = SimpleUploadedFile("list.csv", b"target\n203.0.113.7\n198.51.100.0/24\n")
    looked = site.admin.post("feed-act", {"do": "look", "file": second}, name="mine")
    page = text_of(looked)
    for words in (
        "2 entries, read as csv. 1 would come, 1 would go. Nothing is kept yet.",
        "Dangerous",
        "1 client delivered 12 accepted messages in 30 days: it would be rejected",
        "What would come 198.51.100.0/24",
        "What would go 203.0.113.8",
        "list.csv is at hand",
    ):
        assert words in page
    assert show_feed(world.viewer, "mine")["versions"][0]["added"] == 2
    renewal = looked.context["renewal"]
    carried = {"packed": renewal.packed, "named": renewal.named}
    page = text_of(site.admin.post("feed-act", {"do": "upload"} | carried, name="mine"))
    assert "Refreshed. 2 entries." in page
    assert show_feed(world.viewer, "mine")["versions"][0]["removed"] == 1
    assert site.viewer.post("feed-act", {"do": "look"} | carried, name="mine").status_code == 403
    nothing = text_of(site.admin.post("feed-act", {"do": "look"}, name="mine"))
    assert "Nothing was changed: no file was chosen" in nothing
    monkeypatch.setattr("mailmum.web.carried.FILE_LIMIT", 10)
    second.seek(0)
    page = text_of(site.admin.post("feed-act", {"do": "look", "file": second}, name="mine"))
    assert "look with: mailmum feed upload mine FILE --dry-run" in page


def test_what_is_held_back_is_decided_on_its_page(site: Visitors, world: World, held: None) -> None:
    """A viewer sees why; who may write decides."""
    page = site.viewer.get("feed", name="own list")
    assert "it shrank from 100 entries to 1, by more than 50 %" in text_of(page)
    assert "Put it in force" not in text_of(page)
    assert "<i>Listed" not in page.content.decode()
    assert "Update held back" in text_of(site.viewer.get("feeds"))
    page = text_of(site.admin.post("feed-act", {"do": "release"}, name="own list"))
    assert "The update is in force." in page
    assert show_feed(world.viewer, "own list")["entries"] == 1
    page = text_of(site.admin.post("feed-act", {"do": "drop"}, name="own list"))
    assert "nothing of the feed own list is held back" in page


def test_pausing_and_removing(site: Visitors, world: World, held: None) -> None:
    """Both say what they did; the journal too."""
    assert "own list rests." in text_of(
        site.admin.post("feed-act", {"do": "pause"}, name="own list")
    )
    assert "own list goes on." in text_of(
        site.admin.post("feed-act", {"do": "resume"}, name="own list")
    )
    assert "that button is not known" in text_of(
        site.admin.post("feed-act", {"do": "burn"}, name="own list")
    )
    assert "100 entries go with it" in text_of(site.admin.get("feed-remove", name="own list"))
    response = site.admin.post("feed-remove", {}, name="own list")
    assert response.redirect_chain[-1][0] == site.admin.path("feeds")
    assert list_feeds(world.viewer) == []
    journal = text_of(site.viewer.get("journal"))
    for words in ("removed feed own list", "paused feed own list", "subscribed to feed own list"):
        assert words in journal


def test_a_feed_is_changed_on_its_page(site: Visitors, world: World, held: None) -> None:
    """Limits, interval and where it holds; what cannot be is refused, and nothing changes."""
    add_server(world.owner, "mx1")
    page = site.admin.get("feed", name="own list").content.decode()
    assert 'value="edit"' in page
    assert 'value="edit"' not in site.viewer.get("feed", name="own list").content.decode()
    wanted = {"do": "edit", "action": "block", "server": "mx1", "every": "2h", "reason": "Listed"}
    site.admin.post("feed-act", wanted | {"shrink": "5", "grow": "7"}, name="own list")
    coded = {"shrink": "5", "grow": "7", "code": "127.0.0.9"}
    site.admin.post("feed-act", wanted | coded, name="own list")
    page = site.admin.get("feed", name="own list").content.decode()
    assert 'name="code" type="text" value="127.0.0.9"' in page
    told = show_feed(world.owner, "own list")
    assert (told["every"], told["scope"], told["reason"]) == ("2h", "mx1", "Listed")
    assert told["code"] == "127.0.0.9"
    assert (told["shrink"], told["grow"], told["state"]) == (5, 7, "held")
    for wrong, says in (
        ({"shrink": "many", "grow": "7"}, "a limit is a number of percent"),
        ({"shrink": "101", "grow": "7"}, "it has to lie between 0 and 100 percent"),
        ({"shrink": "5", "grow": "7", "reason": "a\x07b"}, "control character"),
    ):
        page = site.admin.post("feed-act", wanted | {"every": "3h"} | wrong, name="own list")
        assert show_feed(world.owner, "own list") == told
        # Beside the field, with what was typed and the form open.
        assert says in text_of(page)
        assert '<details class="more" open>' in page.content.decode()
        assert wrong["shrink"] in page.content.decode()
    site.admin.post("feed-act", wanted | coded | {"code": ""}, name="own list")
    assert show_feed(world.owner, "own list")["code"] is None
    assert site.viewer.post("feed-act", wanted, name="own list").status_code == 403
    assert site.outsider.post("feed-act", wanted, name="own list").status_code == 404


def test_a_feed_is_added_with_all_that_can_be_set(site: Visitors, world: World) -> None:
    """As over the API; a wrong one opens what is folded and stands beside its field."""
    put("all.txt", "203.0.113.7")
    wanted = {"kind": "file", "name": "own", "source": "all.txt", "code": "127.0.0.9"}
    wanted |= {"every": "6h", "shrink": "5", "grow": "7"}
    for wrong, says in (
        ({"code": "10.0.0.1"}, "is outside 127.0.0.0/8"),
        ({"grow": "many"}, "a limit is a number of percent"),
    ):
        page = site.admin.post("feed-add", wanted | wrong)
        assert says in text_of(page)
        assert '<details class="more" open>' in page.content.decode()
    site.admin.post("feed-add", wanted)
    told = show_feed(world.owner, "own")
    assert (told["code"], told["shrink"], told["grow"]) == ("127.0.0.9", 5, 7)


def test_what_a_provider_is_for_is_changed_on_its_page(site: Visitors, world: World) -> None:
    """It is said there, to who may change it; only a set of a provider has another use."""
    add_feed(world.admin, make_wish("Webmail", "webmail.example", kind="spf", use="warn"))
    assert (
        'name="use" value="warn" checked' in site.admin.get("feed", name="Webmail").content.decode()
    )
    wanted = {"do": "edit", "use": "except", "every": "1d", "shrink": "50", "grow": "100"}
    assert site.viewer.post("feed-act", wanted, name="Webmail").status_code == 403
    assert site.outsider.post("feed-act", wanted, name="Webmail").status_code == 404
    site.admin.post("feed-act", wanted, name="Webmail")
    told = show_feed(world.viewer, "Webmail")
    assert (told["use"], told["every"]) == ("except", "1d")
    assert "Triggers leave it out" in text_of(site.viewer.get("feed", name="Webmail"))
    site.admin.post("feed-act", wanted | {"use": "nothing"}, name="Webmail")
    assert show_feed(world.viewer, "Webmail") == told


def test_what_of_a_provider_depends_on_the_sender(
    site: Visitors, world: World, names: NameServer
) -> None:
    """Its page names the terms by which the set may be too large, and too small."""
    names.spf(one="v=spf1 -exists:%{i}.bad.example ip4:192.0.2.0/24 exists:%{i}.good.example -all")
    provider(world.admin, "One", "one.example", "except")
    page = text_of(site.viewer.get("feed", name="One"))
    large, small = page.index("It may hold too much"), page.index("It may hold too little")
    assert large < page.index("exists:%{i}.bad.example") < small
    assert small < page.index("exists:%{i}.good.example")


def test_a_provider_of_own_servers_only(site: Visitors, world: World, names: NameServer) -> None:
    """How many networks it has and why none of them counts, before and after it is there."""
    names.spf(one="v=spf1 ip4:192.0.2.0/28 ip4:198.51.100.7 -all")
    add_server(world.admin, "mx1", ["192.0.2.5", "198.51.100.7"])
    form = {"kind": "spf", "name": "One", "source": "one.example", "use": "except", "every": "1d"}
    page = text_of(site.admin.post("feed-add", form | {"look": "1"}))
    assert "0 entries, read as" in page
    assert "Left out, since they cover servers of yours: 192.0.2.0/28, 198.51.100.7" in page
    provider(world.admin, "One", "one.example", "except")
    said = "Works , 0 of 2 entries; 2 left out, since they cover servers of yours."
    assert said in text_of(site.viewer.get("feed", name="One"))
    assert " 0 of 2 " in text_of(site.viewer.get("feeds"))


def test_a_list_that_its_own_exceptions_empty(site: Visitors, world: World) -> None:
    """Its page says what took all of it."""
    put("web.txt", "192.0.2.8", "!192.0.2.8")
    add_feed(world.admin, make_wish("list", "web.txt", format_="ip4trie"))
    refresh_feed(world.admin, "list")
    said = "0 entries; 1 exception of its own took out all that it lists"
    assert said in text_of(site.viewer.get("feed", name="list"))


def test_providers_are_proposed_until_they_are_there(site: Visitors, world: World) -> None:
    """They are listed apart."""
    page = text_of(site.admin.get("feed-add", query={"kind": "spf"}))
    assert "Microsoft 365" in page
    assert "it stands beside what it lists" not in page
    wish = make_wish("Microsoft", "spf.protection.outlook.com", kind="spf", use="warn")
    add_feed(world.admin, wish)
    assert "Microsoft 365" not in text_of(site.admin.get("feed-add", query={"kind": "spf"}))
    page = text_of(site.viewer.get("feeds"))
    assert "Mail providers" in page
    assert "Warns" in page
