"""Importing with a look at what would change, and exporting."""

import contextlib
import json
import re
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st

from mailmum.control.listings.queries import current
from mailmum.control.servers.services import add_server
from mailmum.domain.errors import BadInput
from mailmum.traffic.sightings import Outcome
from mailmum.web import carried
from mailmum.web.carried import packed, unpacked
from tests.control.monitor.kit import Traffic, traffic
from tests.support.world import World
from tests.web.conftest import Response, Visitor, Visitors, text_of, undo_address
from tests.web.test_listings import ALLOW, BLOCK, listed

__all__ = ["traffic"]

MIXED = "203.0.113.7\n203.0.113.8 # known\nnonsense here!\n10.0.0.0/8\n192.0.2.0/24\n"


def sent(visitor: Visitor, **data: Any) -> Response:
    """The form."""
    form = {"whose": "mine", "action": "block", "for": "", "do": "look", **data}
    return visitor.post("listings-import", form)


def targets(world: World) -> set[str]:
    """What is listed."""
    return {one.target for one in current(world.viewer)}


def counts(response: Response) -> dict[str, int]:
    """What an import would do."""
    looked = response.context["looked"]
    return {words: count for words, count, _ in looked.kinds} | {
        "refused": looked.refused,
        "guarded": looked.guarded,
    }


def test_what_would_change(site: Visitors, world: World) -> None:
    """New, changed, the same, refused with the reason, dangerous ones by name; nothing is done."""
    listed(world, BLOCK, ["203.0.113.8", "192.0.2.0/24"])
    listed(world, ALLOW, ["203.0.113.7"])
    response = sent(site.admin, text=MIXED)
    assert counts(response) == {
        "New": 0,
        "Changed": 1,
        "Gone from it": 0,
        "The same": 2,
        "refused": 1,
        "guarded": 1,
    }
    text = text_of(response)
    assert "'nonsense here!' : here! stands behind the target" in text
    assert "Line 4: 10.0.0.0/8 is wider than /16" in text
    assert "Type to list these too: list 1 guarded target" in text
    assert targets(world) == {"203.0.113.7", "203.0.113.8", "192.0.2.0/24"}


def test_whom_it_would_hit(site: Visitors, world: World, traffic: Traffic) -> None:
    """Of what would be blocked only; it is seen again where something is still to be said."""
    traffic.log(*traffic.mail("198.51.100.201", 12, "out1.news.example"))
    traffic.log(traffic.seen("203.0.113.7", Outcome.REJECTED))
    page = text_of(sent(site.admin, text="198.51.100.0/24\n203.0.113.7\n"))
    for words in (
        "Whom it would hit in the last 30 days",
        "Dangerous",
        "1 client delivered 12 accepted messages in 30 days: it would be rejected",
        "198.51.100.201 12 0",
        "203.0.113.7 0 1",
    ):
        assert words in page
    stopped = sent(site.admin, text="198.51.100.0/24\nnonsense here!\n", do="import")
    assert "Dangerous" in text_of(stopped)
    assert targets(world) == set()
    allows = text_of(sent(site.admin, text="198.51.100.0/24\n", action="allow"))
    assert "Whom it would hit" not in allows
    assert "What would change" in allows
    assert "Nothing was seen of it" in text_of(sent(site.admin, text="192.0.3.1\n"))


def test_refused_lines(site: Visitors, world: World) -> None:
    """All or nothing, unless one says that they are left out; one change with its undo."""
    refused = sent(site.admin, text=MIXED, do="import")
    assert "2 lines would not be listed" in text_of(refused)
    assert targets(world) == set()
    done = sent(site.admin, text=MIXED, do="import", leave_out="1")
    assert "3 added, 0 changed; 2 lines left out." in text_of(done)
    assert targets(world) == {"203.0.113.7", "203.0.113.8", "192.0.2.0/24"}
    site.admin.client.post(undo_address(done))
    assert targets(world) == set()


def test_the_second_step(site: Visitors, world: World) -> None:
    """What a guard stands before is listed by what is typed only; never as a source's."""
    text = "203.0.113.7\n10.0.0.0/8\n"
    wrong = sent(site.admin, text=text, do="import", sure="yes", leave_out="1")
    assert "that is something else" in text_of(wrong)
    assert targets(world) == set()
    sent(site.admin, text=text, do="import", sure=" List 1 guarded  target ")
    assert targets(world) == {"203.0.113.7", "10.0.0.0/8"}
    feed = sent(site.admin, text="192.168.0.0/24\n", whose="feed", label="A list")
    assert counts(feed)["refused"] == 1
    assert "a feed can never block it" in text_of(feed)
    assert "192.168.0.0/24 192.168.0.0/24" not in text_of(feed)
    sent(site.admin, text="192.168.0.0/24\n", whose="feed", do="import", sure="x", leave_out="1")
    assert "192.168.0.0/24" not in targets(world)


def test_a_file_and_its_next_version(site: Visitors, world: World) -> None:
    """It goes along from the look to the import; what left it goes, where that is wanted."""
    first = SimpleUploadedFile("drop.txt", b"203.0.113.7\n203.0.113.8\n")
    response = sent(site.admin, file=first, whose="feed")
    assert "drop.txt" in text_of(response)
    carried_along = response.context["form"].values
    sent(site.admin, whose="feed", do="import", packed=carried_along["packed"], label="drop.txt")
    assert {one.origin for one in current(world.viewer)} == {"drop.txt"}
    second = SimpleUploadedFile("drop.txt", b"203.0.113.8\n203.0.113.9\n")
    response = sent(site.admin, file=second, whose="feed", gone="1")
    assert counts(response) | {"refused": 0} == {
        "New": 1,
        "Changed": 0,
        "Gone from it": 1,
        "The same": 1,
        "refused": 0,
        "guarded": 0,
    }
    assert "203.0.113.7" in text_of(response)
    packed_again = response.context["form"].values["packed"]
    sent(site.admin, whose="feed", do="import", packed=packed_again, label="drop.txt", gone="1")
    assert targets(world) == {"203.0.113.8", "203.0.113.9"}


def test_its_name_comes_along(site: Visitors, world: World) -> None:
    """What is looked at is what is done: of the same source, which is called as the file is."""
    looked = sent(site.admin, file=SimpleUploadedFile("drop.txt", b"203.0.113.7\n"), whose="feed")
    field = r'type="hidden" name="(packed|named)" value="([^"]*)"'
    hidden = re.findall(field, looked.content.decode())
    sent(site.admin, whose="feed", do="import", **dict(hidden))
    assert {one.origin for one in current(world.viewer)} == {"drop.txt"}


@pytest.mark.parametrize("content", [b"", b"# nothing today\n", b"<html>Not found</html>\n"])
def test_a_file_that_empties_its_source(site: Visitors, world: World, content: bytes) -> None:
    """It is seen what would go, and nothing goes before that is typed; then it does."""
    both = {"203.0.113.7", "203.0.113.8"}
    feed = {"whose": "feed", "label": "drop.txt", "format": "plain", "leave_out": "1"}
    sent(site.admin, text="\n".join(both), do="import", **feed)
    file = SimpleUploadedFile("drop.txt", content)
    looked = sent(site.admin, file=file, gone="1", **feed | {"format": ""})
    if content:
        assert "its format cannot be told" in text_of(looked)
        file.seek(0)
        looked = sent(site.admin, file=file, gone="1", **feed)
    assert counts(looked)["Gone from it"] == 2
    assert "Type to remove them: remove 2 listings" in text_of(looked)
    again = {"packed": looked.context["form"].values["packed"], "gone": "1", **feed}
    for typed in ("", "remove 3 listings"):
        refused = sent(site.admin, do="import", sure=typed, **again)
        assert "nothing is removed before you type remove 2 listings" in text_of(refused)
        assert targets(world) == both
    sent(site.admin, do="import", sure="remove 2  Listings", **again)
    assert targets(world) == set()


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({}, "no file was chosen"),
        ({"packed": "AAAA"}, "did not come along whole"),
        ({"text": "x", "format": "nosuch"}, "is no format"),
        ({"text": "203.0.113.7", "for": "other"}, "the lifetime is empty"),
        ({"text": "203.0.113.7", "server": "gone"}, "there is no server gone"),
    ],
)
def test_what_cannot_be_read(site: Visitors, data: dict[str, str], fault: str) -> None:
    """Is said beside its field."""
    assert fault in text_of(sent(site.admin, **data))


def test_an_unclear_file(site: Visitors) -> None:
    """One chooses its format; the words are those of the page, not of the command line."""
    response = sent(site.admin, file=SimpleUploadedFile("x", b"1 2 3\n4 5 6\n"))
    assert "its format cannot be told from its content; choose it" in text_of(response)
    assert "--" not in text_of(response).partition("Import listings")[2]


def test_what_is_too_large(site: Visitors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is for the command line."""
    monkeypatch.setattr("mailmum.web.views.files.FILE_LIMIT", 10)
    response = sent(site.admin, file=SimpleUploadedFile("x.txt", b"203.0.113.7\n"))
    assert "use the command line" in text_of(response)


def test_who_may_import(site: Visitors, world: World) -> None:
    """Neither a viewer nor an outsider."""
    assert sent(site.viewer, text=MIXED).status_code == 403
    assert sent(site.outsider, text=MIXED, do="import").status_code == 404
    assert targets(world) == set()


def read(response: Any) -> str:
    """A streamed file."""

    async def pieces() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    return async_to_sync(pieces)().decode()


@pytest.fixture
def lists(world: World) -> None:
    """Some of everything, and another account's."""
    add_server(world.admin, "mx1")
    listed(world, BLOCK, ["203.0.113.0/24", "2001:db8:4f::/48"], reason="spam")
    listed(world, BLOCK, ["198.51.100.9"], "mx1")
    listed(world, ALLOW, ["203.0.113.77"])


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.usefixtures("lists")
def test_exports(site: Visitors) -> None:
    """In a format, of a scope, of what the filter of the table finds."""

    def exported(**query: str) -> str:
        return read(site.viewer.get("listings-file", query=query))

    everything = json.loads(exported(format="json"))
    assert {one["target"] for one in everything} == {
        "203.0.113.0/24",
        "2001:db8:4f::/48",
        "198.51.100.9",
        "203.0.113.77",
    }
    some = json.loads(exported(format="json", action="allow"))
    assert [one["target"] for one in some] == ["203.0.113.77"]
    assert "198.51.100.9" in exported(format="plain", on="mx1")
    assert "198.51.100.9" not in exported(format="plain")
    assert "\n203.0.113.77\n" in exported(format="plain", list="allow")
    head = site.viewer.get("listings-file", query={"format": "csv", "action": "block"})
    assert head["Content-Disposition"] == 'attachment; filename="listings-some.csv"'
    assert len(read(head).splitlines()) == 4


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.usefixtures("lists")
def test_the_export_page(site: Visitors, world: World) -> None:
    """Says of how many it is, and why something cannot be exported; others see nothing."""
    text = text_of(site.viewer.get("listings-export", query={"action": "block"}))
    assert "The 3 listings that fit the filter." in text
    assert "is no format" in text_of(site.viewer.get("listings-file", query={"format": "x"}))
    assert site.outsider.get("listings-file", query={"format": "json"}).status_code == 404
    other = world.outsider.account.pk
    home = site.outsider.client.get(f"/a/{other}/listings/export/file/?format=json")
    assert json.loads(read(home)) == []


@given(st.binary(max_size=5000))
def test_a_file_comes_along_whole(data: bytes) -> None:
    """Whatever it holds."""
    assert unpacked(packed(data)) == data


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda raw: raw.hex())))
def test_something_else_comes_back(text: str) -> None:
    """It is refused, or some file; never a fault of ours."""
    with contextlib.suppress(BadInput):
        assert isinstance(unpacked(text), bytes)


def test_a_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would unpack to more than is allowed is refused without being unpacked."""
    bomb = packed(bytes(4000))
    monkeypatch.setattr(carried, "FILE_LIMIT", 3999)
    with pytest.raises(BadInput):
        unpacked(bomb)
    with pytest.raises(BadInput, match="larger"):
        packed(bytes(4000))


def test_names_of_fields(site: Visitors) -> None:
    """Everything the form says comes back with it."""
    source = sent(site.admin, text="nonsense !", reason="why", leave_out="1").content.decode()
    assert re.search(r'name="reason"[^>]*value="why"', source)
    assert re.search(r'name="leave_out"[^>]*checked', source)
