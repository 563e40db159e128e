"""Messages: from the lines that name a queue id to one sighting for each accepted recipient.

What Postfix logs of an accepted message: smtpd its queue id and client, cleanup its Message-ID,
the queue manager its sender, a delivery agent each recipient with what became of it, the queue
manager that it is gone.  Recipients show in the delivery agents' lines only, and there as `orig_to`
where an alias was expanded: that is whom the client named.

A content filter gives the message back as another one (`queued as`), an alias or forward makes
another one (`forwarded as`).  Those carry on the first: they are no contacts of their own, and what
becomes of them is what becomes of the first one's recipient.  The line that says so may come after
the second is through, so what a filter may have given back waits for it.

Messages without a client (from `sendmail`, bounces) are no contacts; they are kept only since they
may carry on one that is.
"""

import heapq
from typing import Any

from mailmum.postfix.log.book import (
    MAX_MESSAGES,
    MAX_WAITING,
    NOTES,
    Attempt,
    Book,
    Host,
    Message,
    attempted,
    sighting,
)
from mailmum.postfix.log.bounds import ADDRESS, client_parts, note_of
from mailmum.postfix.log.chain import bequeath, inherit, link, root, worst
from mailmum.postfix.log.marks import identify, remember, take_early
from mailmum.traffic.sightings import Delivery, Outcome, Update

MAX_RECIPIENTS = 1000
_MAX_FILTERS = 64
_MAX_AGE = 6 * 86400.0
_FILTER_WAIT = 60.0
_MAX_NOTES = 12
_MAKING_ROOM = 3
_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_FATES = {
    "sent": Delivery.SENT,
    "deferred": Delivery.DEFERRED,
    "bounced": Delivery.BOUNCED,
    "expired": Delivery.BOUNCED,
    "SOFTBOUNCE": Delivery.DEFERRED,
}
_ACCEPTED = Outcome.ACCEPTED
_SENT, _DEFERRED, _BOUNCED = Delivery.SENT, Delivery.DEFERRED, Delivery.BOUNCED


class Messages:
    """Keeps messages by queue id, and hands out what became of them."""

    def __init__(self, book: Book, hold: float | None) -> None:
        self._book = book
        book.retire = self._finish
        self._hold = hold
        self._due: list[tuple[float, str, str]] = []
        self.filters = set(_LOOPBACK)

    def opened(self, host: Host, queue_id: str, key: str, stamp: str, client: str) -> Message:
        """A message got its queue id; no `client`: not from one, as by another program."""
        before = host.take(queue_id)
        if before is not None:
            self.removed(host, before)
        if host.known:
            host.known.pop(queue_id, None)
        message = Message((key, stamp, client, queue_id))
        host.fresh[queue_id] = message
        if ", orig_" in client:
            self._forwarded(host, message)
        if self._hold is not None:
            self.wait(host, queue_id)
        if len(host.fresh) > self._book.room:
            self.make_room(host)
        return message

    def make_room(self, host: Host) -> None:
        """There are too many: hand out the oldest as far as it is known."""
        self._book.dropped += 1
        oldest = host.take(next(iter(host.fresh)))
        assert oldest is not None
        self._give_early(host, oldest)

    def note(self, host: Host, queue_id: str, text: str) -> bool:
        """Something was said about a message; whether it is known here."""
        message = host.open(queue_id)
        if message is not None:
            if self._book.scoring and text.startswith("message-id="):
                identify(host, queue_id, text)
            message.append(note_of(text))
            if len(message) > _MAX_NOTES:
                self.fold(host, message)
            return True
        message = host.known.get(queue_id)
        if message is None:
            return False
        message.append(note_of(text))
        self.fold(host, message)
        if message.parent is not None:
            inherit(message, final=False)
            self._settled(host, message.parent)
        elif message.told is not None:
            self._news(host, message)
        return True

    def removed(self, host: Host, message: Message) -> None:
        """It has left the queue; `message` is in no table any more."""
        self.fold(host, message)
        message.removed = True
        if message.children:
            self._unlinked(host, message)
        elif message.parent is not None:
            self._carried_on(host, message)
        elif message.told is not None:
            self._news(host, message)
        elif self._may_carry_on(message):
            self._orphaned(host, message)
        else:
            self.give(host, message)

    def _unlinked(self, host: Host, parent: Message) -> None:
        """Those that a filter said carry it on, though no delivery did, and are through."""
        for queue_id in [one for one, of in (parent.children or {}).items() if not of]:
            orphan = host.orphans.get(queue_id)
            if orphan is not None and orphan.parent is parent:
                del host.orphans[queue_id]
                inherit(orphan)
        self._settled(host, parent)

    # --- waiting ---------------------------------------------------------------------------

    def wait(self, host: Host, queue_id: str) -> None:
        """It was begun just now, and is to be looked after when it has waited long enough."""
        self._wait(host, queue_id, self._book.time + (self._hold or 0))
        # Here only, since to look after one may make it and another wait again.
        for _ in range(_MAKING_ROOM):
            if len(self._due) > 4 * MAX_MESSAGES:
                self._ripe(*heapq.heappop(self._due))

    def _wait(self, host: Host, queue_id: str, until: float) -> None:
        heapq.heappush(self._due, (until, host.name, queue_id))

    def advance(self, now: float, attempt: Attempt = attempted) -> None:
        """The log is at this time: hand out what has waited long enough."""
        due = self._due
        while due and due[0][0] <= now:
            attempt(self._ripe, *heapq.heappop(due))
        for host in self._book.hosts.values():
            while host.known:
                queue_id, message = next(iter(host.known.items()))
                if self._book.moment(message[1]) > now - _MAX_AGE:
                    break
                del host.known[queue_id]

    def _ripe(self, until: float, name: str, queue_id: str) -> None:
        host = self._book.host(name)
        orphan = host.orphans.pop(queue_id, None)
        if orphan is not None:
            self._give_up(host, orphan)
        message = host.open(queue_id)
        if message is None:
            return
        self.fold(host, message)
        begun = self._book.moment(message[1])
        if until < begun + (self._hold or 0):
            return  # of a message before it with this queue id
        if message.queued or message.reason is not None or until - begun > _MAX_AGE:
            del host.fresh[queue_id]
            self._give_early(host, message)
        else:
            self._wait(host, queue_id, until + max(self._hold or 0, _FILTER_WAIT))

    def _may_carry_on(self, message: Message) -> bool:
        if not message[2]:
            return True
        return message.adopted is None and self._client(message)[0] in self.filters

    # --- what was said about it ------------------------------------------------------------

    def fold(self, host: Host, message: Message) -> None:
        """Read the notes of a message that are not read yet."""
        for text in message[NOTES:]:
            if text.startswith("to=<"):
                self._delivery(host, message, text)
            elif text.startswith("from=<"):
                self._queued(message, text)
            elif text.startswith("message-id="):
                message.message_id = text
        del message[NOTES:]

    def _queued(self, message: Message, text: str) -> None:
        """The queue manager took it up, `from=<S>, size=..`, or gave it up, `status=expired`."""
        end = text.rfind(">, ")
        message.queued = True
        message.sender = text[6 : end if end >= 0 else None][:ADDRESS]
        if "status=" in text[end:] and "expired" in text[end:]:
            for fate in (message.fates or {}).values():
                for target, delivery in fate.items():
                    if delivery is _DEFERRED:
                        fate[target] = _BOUNCED

    def _delivery(self, host: Host, message: Message, text: str) -> None:
        end = text.find(">, ", 4)
        at = text.find(" status=", end)
        if end < 0 or at < 0:
            return
        target = recipient = text[4:end][:ADDRESS]
        if text.startswith("orig_to=<", end + 3):
            recipient = text[end + 12 : text.find(">, ", end + 12)][:ADDRESS]
        status = text[at + 8 :].partition(" ")[0]
        delivery = _FATES.get(status)
        if delivery is None:  # of a probe: deliverable, undeliverable
            return
        message.queued = True
        if message.fates is None:
            message.fates = {}
        fate = message.fates.get(recipient)
        if fate is None:
            if len(message.fates) >= MAX_RECIPIENTS:
                self._book.dropped += 1
                return
            fate = message.fates[recipient] = {}
        if len(fate) < MAX_RECIPIENTS:
            fate[target] = delivery
        if delivery is _SENT and " as " in text[at:]:
            self._passed_on(host, message, (recipient, target), text)

    # --- filters and forwards --------------------------------------------------------------

    def _passed_on(self, host: Host, message: Message, passed: tuple[str, str], text: str) -> None:
        """`(250 2.0.0 Ok: queued as 4Bx1)`, `(forwarded as 4Bx1)`: perhaps a message of ours."""
        for words in (" queued as ", "(forwarded as "):
            at = text.rfind(words)
            if at >= 0:
                queue_id = text[at + len(words) :].rstrip(")").partition(" ")[0]
                child = host.open(queue_id) or host.orphans.get(queue_id)
                if child is not None and child.told is None and link(message, child, passed):
                    self._linked(host, child)
                return

    def _linked(self, host: Host, child: Message) -> None:
        if child[2] and len(self.filters) < _MAX_FILTERS:
            client = self._client(child)[0]
            if client is not None:
                self.filters.add(client)
        if host.orphans.pop(child.queue_id, None) is not None:
            inherit(child)

    def _forwarded(self, host: Host, message: Message) -> None:
        """A filter told whom it speaks for: `orig_queue_id=`, `orig_client=` (XFORWARD)."""
        original = message[2].partition(", orig_queue_id=")[2].partition(",")[0]
        parent = host.open(original) if original else None
        if parent is not None:
            link(parent, message, None)
        elif not original:
            client = message[2].partition(", orig_client=")[2].partition(",")[0]
            address, name = client_parts(client)
            message.adopted = (address, name, None)

    def _carried_on(self, host: Host, child: Message) -> None:
        """One that carries on another is through."""
        parent = child.parent
        assert parent is not None
        if not parent.removed and (parent.children or {}).get(child.queue_id) == []:
            self._orphaned(host, child)  # the line that tells the recipient is yet to come
            return
        inherit(child)
        self._settled(host, parent)

    def _settled(self, host: Host, parent: Message, *, early: bool = False) -> None:
        """Something became known of one that is carried on by others; `early`: it waited enough."""
        if parent.parent is not None:
            if parent.removed and not parent.children:
                self._carried_on(host, parent)
            else:
                inherit(parent, final=False)
                self._settled(host, parent.parent, early=early)
        elif parent.told is not None:
            self._news(host, parent)
        elif parent.removed and (early or not parent.children):
            self.give(host, parent)

    def _orphaned(self, host: Host, message: Message) -> None:
        """It is through, and may carry on one of which that will be said."""
        host.orphans[message.queue_id] = message
        if self._hold is not None:
            self._wait(host, message.queue_id, self._book.time + _FILTER_WAIT)
        if len(host.orphans) > MAX_WAITING:
            self.give_up_oldest(host)

    def give_up_oldest(self, host: Host) -> None:
        """The oldest of those that may carry on another has waited long enough."""
        self._give_up(host, host.orphans.pop(next(iter(host.orphans))))

    def _give_up(self, host: Host, orphan: Message) -> None:
        """Nobody said that it carries on another."""
        if orphan.parent is None:
            self.give(host, orphan)
        else:
            inherit(orphan)
            self._settled(host, orphan.parent)

    def adopt(self, host: Host, queue_id: str, who: str, service: str, helo: str | None) -> None:
        """A message came from a client of another session, through a filter before the queue."""
        message = host.open(queue_id) or host.orphans.get(queue_id)
        if message is None or message.parent is not None:
            return
        address, name = client_parts(who)
        message.adopted = (address, name, service)
        if helo is not None:
            message.helo = helo
        if host.orphans.pop(queue_id, None) is not None:
            self.give(host, message)

    # --- handing out -----------------------------------------------------------------------

    def give(self, host: Host, message: Message) -> None:
        """Hand out a sighting for each recipient of a message."""
        if not message[2] or message.parent is not None:
            return
        if not message.queued and message.reason is None:
            return  # the client went away before it was through
        if self._book.early:
            take_early(self._book, message)
        message.told = {}
        for recipient, fate in (message.fates or {}).items():
            self._sight(host, message, recipient, worst(fate))
        if not message.told:
            self._sight(host, message, None, None)
        if self._book.scoring:
            remember(host, message.queue_id, self._book.moment(message[1]))

    def _sight(
        self, host: Host, message: Message, recipient: str | None, delivery: Delivery | None
    ) -> None:
        assert message.told is not None
        message.told[recipient] = delivery
        address, name, service = self._client(message)
        service = service or self._book.place(message[0])[1]
        time = self._book.moment(message[1])
        where = (time, host.name, service, address, name, message.helo)
        what = (message.sender, recipient, _ACCEPTED, 250, None, message.queue_id)
        fate = (delivery, message.score, message.reason, (), message.spam)
        self._book.sightings.append(sighting(where + what + fate))

    def _give_early(self, host: Host, message: Message) -> None:
        """Hand out what is known of one that is still under way, and follow it for news."""
        self.fold(host, message)
        if message.parent is not None:
            inherit(message, final=False)
            self._settled(host, message.parent, early=True)
        else:
            self.give(host, message)
            if message.told is None:
                return
        host.known[message.queue_id] = message
        if len(host.known) > MAX_MESSAGES:
            del host.known[next(iter(host.known))]

    def _news(self, host: Host, message: Message) -> None:
        """Tell what changed since a message was handed out."""
        told = message.told
        assert told is not None
        time = self._book.moment(message[1])
        for recipient, fate in (message.fates or {}).items():
            delivery = worst(fate)
            if None in told and message.blank is None:
                message.blank = recipient  # the one handed out before it had a name
            name = None if recipient == message.blank else recipient
            if name not in told:
                self._sight(host, message, name, delivery)
            elif told[name] is not delivery and delivery is not None:
                told[name] = delivery
                self._book.updates.append(Update(time, host.name, message.queue_id, name, delivery))

    def _client(self, message: Message) -> tuple[str | None, str | None, str | None]:
        if message.adopted is not None:
            return message.adopted
        address, name = client_parts(message[2][7:].partition(",")[0])
        return address, name, None

    def pack(self) -> dict[str, Any]:
        """What waits, for a dump."""
        return {"due": self._due, "filters": sorted(self.filters)}

    def unpack(self, state: dict[str, Any]) -> None:
        """Back from a dump."""
        self._due = [(until, name, queue_id) for until, name, queue_id in state["due"]]
        self.filters = set(state["filters"])

    def finish(self, attempt: Attempt = attempted) -> None:
        """The log ends: hand out all."""
        self._due.clear()
        for host in self._book.hosts.values():
            self._finish(host, attempt)

    def _finish(self, host: Host, attempt: Attempt = attempted) -> None:
        fresh = [one for one in map(host.open, host.fresh) if one is not None]
        for message in fresh:
            attempt(self.fold, host, message)
        rest = [*host.orphans.values(), *fresh]
        for message in rest:
            message.removed = True
        for message in rest:
            attempt(bequeath, message)
        for first in {id(one): one for one in map(root, rest)}.values():
            attempt(self.give if first.told is None else self._news, host, first)
        host.fresh.clear()
        host.orphans.clear()
