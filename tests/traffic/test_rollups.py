"""Counting a batch, held against counting one sighting after the other."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from mailmum.traffic.batches import Lookup, Maker
from mailmum.traffic.packing import pack_client
from mailmum.traffic.privacy import FULL, Privacy
from mailmum.traffic.rollups import Key, tally
from mailmum.traffic.sightings import Outcome, Sighting, Source
from tests.control.traffic.kit import NOW

CLIENTS = st.sampled_from([None, "203.0.113.7", "203.0.113.8", "2001:db8::1", "rubbish"])
NAMES = st.sampled_from(
    [None, "", "mail.spam.example", "MAIL.spam.example", "localhost", "[203.0.113.7]", "a.b", "x."]
)
SIGHTINGS = st.builds(
    Sighting,
    time=st.floats(NOW - 200_000, NOW + 80_000),
    client=CLIENTS,
    client_name=NAMES,
    helo=NAMES,
    outcome=st.sampled_from(Outcome),
    rbl=st.sampled_from([None, "a.rbl.example", "b.rbl.example"]),
    named=st.sampled_from([(), ("a.rbl.example",), ("b.rbl.example", "a.rbl.example")]),
)
ZONES = {"a.rbl.example": 1, "b.rbl.example": 2}


def maker() -> Maker:
    """With a clock of its own."""
    return Maker(NOW, Privacy(FULL, b""), ZONES)


def naive(
    account: int, server: int, sightings: list[Sighting]
) -> tuple[Counter[Key], Counter[Key], Counter[Key]]:
    """Totals by the minute, clients by the hour, names by the day."""
    totals, clients, names = Counter[Key](), Counter[Key](), Counter[Key]()
    for seen in sightings:
        second = round(seen.time * 1000) // 1000
        outcome, rbl = list(Outcome).index(seen.outcome) + 1, ZONES.get(seen.rbl or "", 0)
        totals[account, 60, second // 60 * 60, server, 1, outcome, rbl] += 1
        client = pack_client(seen.client) if seen.client else None
        if client:
            clients[account, second // 3600 * 3600, client, server, 1, outcome, rbl] += 1
        for name, kind in ((seen.client_name, 1), (seen.helo, 2)):
            if not name or (kind == 2 and (name == seen.client_name or "." not in name)):
                continue
            if kind == 2 and name.startswith("["):
                continue
            labels = ".".join(reversed(name.lower().rstrip(".").split("."))) + "."
            day = second // 86_400 * 86_400
            names[account, day, labels.encode(), kind, client or b"", server, 1, outcome] += 1
    return totals, clients, names


def as_counter(rows: object) -> Counter[Key]:
    """Rows of key and count."""
    assert isinstance(rows, list)
    assert rows == sorted(rows)
    made = Counter({tuple(row[:-1]): row[-1] for row in rows})
    assert len(made) == len(rows)
    return made


@given(st.lists(SIGHTINGS, max_size=30))
def test_a_batch_is_counted_as_one_by_one(sightings: list[Sighting]) -> None:
    """Each row of a roll-up once, sorted; hours and days sum up to what minutes do."""
    added = tally(maker().from_sightings(5, 9, Source.LOG, sightings))
    totals, clients, names = naive(5, 9, sightings)
    counted = as_counter(added.totals)
    assert Counter({key: n for key, n in counted.items() if key[1] == 60}) == totals
    for step in (3600, 86_400):
        wider = Counter[Key]()
        for (account, _, start, *rest), count in totals.items():
            wider[account, step, start // step * step, *rest] += count
        assert Counter({key: n for key, n in counted.items() if key[1] == step}) == wider
    assert as_counter(added.hours) == clients
    days = Counter[Key]()
    for (account, start, *rest), count in clients.items():
        days[account, start // 86_400 * 86_400, *rest] += count
    assert as_counter(added.days) == days
    assert as_counter(added.names) == names
    assert added.domains == domains(names)
    sets = Counter(",".join(["", *sorted(str(ZONES[z]) for z in s.named), ""]) for s in sightings)
    for step in (3600, 86_400):
        lists = Counter[str]()
        for _, of, start, *_, text, count in added.lists:
            assert start % step == 0 or of != step
            lists[text] += count if of == step else 0
        assert lists == Counter({text: n for text, n in sets.items() if text != ","})


def domains(names: Counter[Key]) -> list[Key]:
    """Sums by the last label and by the last two."""
    made = Counter[Key]()
    for (account, day, name, kind, _, *rest), count in names.items():
        labels = name.split(b".")[:-1]
        for depth in (1, 2):
            if len(labels) >= depth:
                above = b"".join(label + b"." for label in labels[:depth])
                made[account, day, above, kind, *rest] += count
    return sorted((*key, count) for key, count in made.items())


@given(st.lists(SIGHTINGS, max_size=20), st.integers(0, 20))
def test_it_does_not_matter_how_batches_are_cut(sightings: list[Sighting], at: int) -> None:
    """What two halves add is what the whole adds."""
    whole = tally(maker().from_sightings(5, 9, Source.LOG, sightings))
    one = tally(maker().from_sightings(5, 9, Source.LOG, sightings[:at]))
    two = tally(maker().from_sightings(5, 9, Source.LOG, sightings[at:]))
    for name in ("totals", "hours", "days", "names", "domains"):
        halves = as_counter(getattr(one, name)) + as_counter(getattr(two, name))
        assert halves == as_counter(getattr(whole, name))


@given(
    st.lists(
        st.builds(
            Lookup,
            account=st.integers(1, 2),
            server=st.integers(1, 3),
            time=st.floats(NOW - 9000, NOW),
            subject=st.sampled_from(["203.0.113.7", "2001:db8::1", "mail.spam.example"]),
            outcome=st.sampled_from([Outcome.LISTED, Outcome.ALLOWED, Outcome.UNLISTED]),
            count=st.integers(1, 1000),
        ),
        max_size=20,
    )
)
def test_lookups_count_as_often_as_they_say(lookups: list[Lookup]) -> None:
    """In the totals of their account, by client and by name."""
    added = tally(maker().from_lookups(Source.DNS, lookups))
    for account in (1, 2):
        given = [one for one in lookups if one.account == account]
        names = sum(one.count for one in given if one.subject.endswith("example"))
        total = sum(one.count for one in given)
        hours = [row for row in added.totals if row[0] == account and row[1] == 3600]
        assert sum(row[-1] for row in hours) == total
        assert sum(row[-1] for row in added.days if row[0] == account) == total - names
        assert sum(row[-1] for row in added.names if row[0] == account) == names
