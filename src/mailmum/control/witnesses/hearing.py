"""Asks lists about the clients that triggers watch, several at once, and takes their word down.

- Triggers take half of the questions that a list may be asked in a minute; people have the rest.
- What is kept is not asked again, by whomever it was asked.
- A word counts when the list was well after it was said and has been since (`asking`).
- It is taken down once for as long as it holds, in one transaction under the writer's lock: its
  number is its place in the order, and two who hear the same take it down once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from mailmum.control.journal.services import take_writer_lock
from mailmum.control.witnesses import asking
from mailmum.control.witnesses.asking import (
    Asked,
    asked_now,
    believed,
    check_health,
    health_of,
    look_again,
)
from mailmum.control.witnesses.models import AskedDay, Health, Said, Word
from mailmum.dns.witness import Meaning
from mailmum.domain.targets import NetworkTarget
from mailmum.traffic.packing import bounds
from mailmum.traffic.periods import DAY, start_of

QUIET = 600
"""Seconds for which nobody is asked again about a client of whom no list says anything."""


@dataclass(frozen=True, slots=True)
class Question:
    """Whether lists list a client.

    Attributes:
        account: whose triggers want to know.
        server: where the client was seen.
        client: who it is.
        sighting: number of the sighting.
        lists: the number of each list by its name.
    """

    account: int
    server: int
    client: NetworkTarget
    sighting: int
    lists: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        question: the question.
        listed: what those said that list the client.
        until: when it may be asked again, Unix time; None when some could not be asked yet.
    """

    question: Question
    listed: tuple[Said, ...]
    until: int | None


def hear(questions: Sequence[Question], now: float) -> list[Answer]:
    """Ask lists, as far as they may be asked now."""
    pairs = {(zone, one.client) for one in questions for zone, _ in one.lists}
    zones = sorted({zone for zone, _ in pairs})
    kept, health = _kept(pairs, now), health_of(zones)
    wanted = [pair for pair in sorted(pairs, key=_order) if pair not in kept]
    wanted = [pair for pair in wanted if believed(health.get(pair[0]))]
    chosen = _within(wanted, now)
    if chosen:
        kept |= asked_now(chosen, now)
        _look_at_silent([kept[pair] for pair in chosen], now)
    health = health_of(zones)
    look_again(kept.values(), health, now)
    late = set(wanted) - set(chosen)
    return [_answer(one, kept, health, late, now) for one in questions]


def take_down(answers: Iterable[Answer], now: float, left_out: dict[int, int]) -> int:
    """Keep the words of lists, and how many were asked and left out; how many words are new."""
    done = [one for one in answers if one.until is not None or one.listed]
    if not done and not left_out:
        return 0
    with transaction.atomic():
        take_writer_lock()
        words = [word for one in done for word in _words(one, now)]
        new = _new(words, now)
        Word.objects.bulk_create(new)
        counts = {account: [0, count] for account, count in left_out.items()}
        for one in done:
            if one.until is not None:
                counts.setdefault(one.question.account, [0, 0])[0] += 1
        _count(counts, now)
    return len(new)


def _order(pair: Asked) -> tuple[str, int]:
    return pair[0], pair[1].first


def _kept(pairs: Iterable[Asked], now: float) -> dict[Asked, Said]:
    wanted = {(zone, bounds(client)[0]): (zone, client) for zone, client in pairs}
    found = Said.objects.filter(
        zone__in={zone for zone, _ in wanted},
        client__in={client for _, client in wanted},
        until__gt=int(now),
    )
    # A clock that was set back must not make an answer hold for ever.
    return {
        wanted[one.zone, bytes(one.client)]: one
        for one in found
        if (one.zone, bytes(one.client)) in wanted and one.asked <= now + 60
    }


def _within(pairs: Sequence[Asked], now: float) -> list[Asked]:
    """Those of them that may be asked in this minute."""
    left: dict[str, int] = {}
    chosen = []
    for pair in pairs:
        zone = pair[0]
        if zone not in left:
            lately = Said.objects.filter(zone=zone, asked__gt=int(now - 60)).count()
            left[zone] = asking.A_MINUTE // 2 - lately
        if left[zone] > 0:
            left[zone] -= 1
            chosen.append(pair)
    return chosen


def _look_at_silent(said: Iterable[Said], now: float) -> None:
    """One that answers nothing is not asked on and on, each time with seconds of waiting."""
    silent: dict[str, bool] = {}
    for one in said:
        silent[one.zone] = silent.get(one.zone, True) and one.meaning == Meaning.SILENT
    quiet = sorted(zone for zone, all_of_it in silent.items() if all_of_it)
    health = health_of(quiet)
    stale = [zone for zone in quiet if zone not in health or health[zone].checked != int(now)]
    if stale:
        check_health(stale, now=now)


def _answer(
    question: Question,
    kept: dict[Asked, Said],
    health: dict[str, Health],
    late: set[Asked],
    now: float,
) -> Answer:
    pairs = [(zone, question.client) for zone, _ in question.lists]
    found = [kept[pair] for pair in pairs if pair in kept]
    listed = tuple(one for one in found if _counts(one, health.get(one.zone)))
    # "Not listed" changes; a trigger may hear of it again when that has been a while.
    until = min([int(now) + QUIET, *(max(one.until, int(now) + 60) for one in found)])
    return Answer(question, listed, None if late & set(pairs) else until)


def _counts(said: Said, health: Health | None) -> bool:
    """Whether it says "listed", and was well from then on."""
    if said.meaning != Meaning.LISTED or health is None:
        return False
    return believed(health) and health.since <= said.asked


def _words(answer: Answer, now: float) -> Iterable[Word]:
    question, numbers = answer.question, dict(answer.question.lists)
    for said in answer.listed:
        yield Word(
            account_id=question.account,
            witness=numbers[said.zone],
            zone=said.zone,
            client=bounds(question.client)[0],
            server=question.server,
            sighting=question.sighting,
            at=int(now * 1000),
            until=said.until,
        )


def _new(words: Sequence[Word], now: float) -> list[Word]:
    """Those of them that do not stand there already and hold."""
    held = Word.objects.filter(
        account__in={one.account_id for one in words},
        client__in={bytes(one.client) for one in words},
        until__gt=int(now),
        # A clock that was set back must not make a word hold for ever.
        at__lte=int(now * 1000) + 60_000,
    )
    keys = ("account", "server", "client", "witness")
    known = {
        (account, server, bytes(client), witness)
        for account, server, client, witness in held.values_list(*keys)
    }
    new = []
    for one in words:
        key = (one.account_id, one.server, bytes(one.client), one.witness)
        if key not in known:
            known.add(key)
            new.append(one)
    return new


def _count(counts: dict[int, list[int]], now: float) -> None:
    day = start_of(now, DAY)
    for account, (asked, left_out) in counts.items():
        row, _ = AskedDay.objects.get_or_create(account_id=account, day=day)
        AskedDay.objects.filter(pk=row.pk).update(
            asked=F("asked") + asked, left_out=F("left_out") + left_out
        )
