"""Messages: from the lines that name a queue id to one sighting for each accepted recipient.

What Postfix logs of an accepted message: smtpd its queue id and client, cleanup its Message-ID, the
queue manager its sender, a delivery agent each recipient with what became of it, the queue manager
that it is gone.  Recipients show in the delivery agents' lines only, and there as `orig_to` where an
alias was expanded: that is whom the client named.

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
    Book,
    Host,
    Message,
    Session,
    service_of,
    sighting,
)
from mailmum.postfix.log.bounds import ADDRESS, client_parts
from mailmum.traffic.sightings import Delivery, Outcome, Update

MAX_RECIPIENTS = 1000
_MAX_AGE = 6 * 86400.0
_FILTER_WAIT = 60.0
_MAX_NOTES = 12
_MAX_NOTE = 1000
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
        self._hold = hold
        self._due: list[tuple[float, str, str]] = []
        self._filters = set(_LOOPBACK)

    def opened(self, host: Host, queue_id: str, line: str, session: Session | None) -> None:
        """The smtpd gave a message its queue id; empty `line`: another program did, no client."""
        before = host.fresh.pop(queue_id, None)
        if before is not None:
            self.removed(host, queue_id, before)
        host.known.pop(queue_id, None)
        message = host.fresh[queue_id] = Message((line,))
        if not line:
            message.queue_id = queue_id
        if session is not None:
            if session.helo is not None:
                message.helo = session.helo
            if len(session.queue_ids) < 100:
                session.queue_ids.append(queue_id)
        if line and ", orig_" in line:
            self._forwarded(host, queue_id, message, line)
        if self._hold is not None and line:
            self._wait(host, queue_id, self._book.time + self._hold)
        if len(host.fresh) > MAX_MESSAGES:
            self._book.dropped += 1
            oldest = next(iter(host.fresh))
            self._give_early(host, oldest, host.fresh.pop(oldest))

    def note(self, host: Host, queue_id: str, text: str) -> bool:
        """Something was said about a message; whether it is known here."""
        message = host.fresh.get(queue_id)
        if message is not None:
            message.append(text if len(text) <= _MAX_NOTE else _shortened(text))
            if len(message) > _MAX_NOTES:
                self.fold(host, queue_id, message)
            return True
        message = host.known.get(queue_id)
        if message is None:
            return False
        message.append(text[:_MAX_NOTE])
        self.fold(host, queue_id, message)
        self._news(host, queue_id, message)
        return True

    def removed(self, host: Host, queue_id: str, message: Message) -> None:
        """It has left the queue; `message` is in no table any more."""
        self.fold(host, queue_id, message)
        message.removed = True
        if message.parent is not None:
            self._carried_on(host, message)
        elif message.children:
            return  # handed out when those are through
        elif message.told is not None:
            self._news(host, queue_id, message)
        elif self._may_carry_on(message):
            host.orphans[queue_id] = message
            if self._hold is not None:
                self._wait(host, queue_id, self._book.time + _FILTER_WAIT)
            if len(host.orphans) > MAX_WAITING:
                oldest = next(iter(host.orphans))
                self.give(host, oldest, host.orphans.pop(oldest))
        else:
            self.give(host, queue_id, message)

    # --- waiting ---------------------------------------------------------------------------

    def _wait(self, host: Host, queue_id: str, until: float) -> None:
        heapq.heappush(self._due, (until, host.name, queue_id))
        if len(self._due) > 4 * MAX_MESSAGES:
            self._ripe(*heapq.heappop(self._due))

    def advance(self, now: float) -> None:
        """The log is at this time: hand out what has waited long enough."""
        due = self._due
        while due and due[0][0] <= now:
            self._ripe(*heapq.heappop(due))
        for host in self._book.hosts.values():
            while host.known:
                queue_id, message = next(iter(host.known.items()))
                if self._book.moment(message[0].partition(": ")[0]) > now - _MAX_AGE:
                    break
                del host.known[queue_id]

    def _ripe(self, until: float, name: str, queue_id: str) -> None:
        host = self._book.host(name)
        orphan = host.orphans.pop(queue_id, None)
        if orphan is not None:
            self.give(host, queue_id, orphan)
        message = host.fresh.get(queue_id)
        if message is None:
            return
        self.fold(host, queue_id, message)
        begun = self._book.moment(message[0].partition(": ")[0])
        if message.queued or message.reason is not None or until - begun > _MAX_AGE:
            del host.fresh[queue_id]
            self._give_early(host, queue_id, message)
        elif until < begun + (self._hold or 0):
            return  # of a message before it with this queue id
        else:
            self._wait(host, queue_id, until + max(self._hold or 0, _FILTER_WAIT))

    def _may_carry_on(self, message: Message) -> bool:
        if not message[0]:
            return True
        return message.adopted is None and self._client(message)[0] in self._filters

    # --- what was said about it ------------------------------------------------------------

    def fold(self, host: Host, queue_id: str, message: Message) -> None:
        """Read the notes of a message that are not read yet."""
        for text in message[1:]:
            if text.startswith("to=<"):
                self._delivery(host, message, text)
            elif text.startswith("from=<"):
                self._queued(message, text)
        del message[1:]

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
            self._passed_on(host, message, recipient, text)

    # --- filters and forwards --------------------------------------------------------------

    def _passed_on(self, host: Host, message: Message, recipient: str, text: str) -> None:
        """`(250 2.0.0 Ok: queued as 4Bx1)`, `(forwarded as 4Bx1)`: perhaps a message of ours."""
        for words in (" queued as ", "(forwarded as "):
            at = text.rfind(words)
            if at >= 0:
                queue_id = text[at + len(words) :].rstrip(")").partition(" ")[0]
                self._link(host, message, queue_id, [recipient])
                return

    def _link(self, host: Host, parent: Message, queue_id: str, recipients: list[str]) -> None:
        child = host.fresh.get(queue_id) or host.orphans.get(queue_id)
        if child is None or child is parent or child.told is not None:
            return
        if child.parent is not None and child.parent is not parent:
            return
        if _descends(parent, child):
            return
        if child[0] and len(self._filters) < 64:
            client = self._client(child)[0]
            if client is not None:
                self._filters.add(client)
        child.parent = parent
        if parent.children is None:
            parent.children = {}
        of = parent.children.setdefault(queue_id, [])
        of.extend(one for one in recipients if one not in of)
        if host.orphans.pop(queue_id, None) is not None:
            self._inherit(queue_id, child)

    def _forwarded(self, host: Host, queue_id: str, message: Message, line: str) -> None:
        """A filter told whom it speaks for: `orig_queue_id=`, `orig_client=` (XFORWARD)."""
        text = line.partition(": client=")[2]
        original = text.partition(", orig_queue_id=")[2].partition(",")[0]
        parent = host.fresh.get(original) if original else None
        if parent is not None and parent is not message:
            message.parent = parent
            if parent.children is None:
                parent.children = {}
            parent.children.setdefault(queue_id, [])
            return
        client = text.partition(", orig_client=")[2].partition(",")[0]
        if client and not original:
            address, name = client_parts(client)
            message.adopted = (address, name, None)

    def _carried_on(self, host: Host, child: Message) -> None:
        parent = child.parent
        assert parent is not None
        self._inherit(_queue_id(child), child)
        self._settled(host, parent)

    def _inherit(self, queue_id: str, child: Message) -> None:
        """What became of a message that carries on another becomes of that one's recipients."""
        parent = child.parent
        assert parent is not None
        recipients = (parent.children or {}).pop(queue_id, [])
        fates = child.fates or {}
        for recipient in recipients or list(parent.fates or {}):
            mine = fates.get(recipient)
            of = [mine] if mine else list(fates.values())
            all_ = [delivery for fate in of for delivery in fate.values()]
            if all_ and parent.fates is not None and recipient in parent.fates:
                parent.fates[recipient] = {recipient: _worst(all_)}
        if child.score is not None and parent.score is None:
            parent.score = child.score

    def _settled(self, host: Host, parent: Message) -> None:
        """All that carried it on is through: so is it."""
        if parent.children or not parent.removed:
            return
        if parent.parent is not None:
            self._carried_on(host, parent)
            return
        queue_id = _queue_id(parent)
        if parent.told is None:
            self.give(host, queue_id, parent)
        else:
            self._news(host, queue_id, parent)

    # --- handing out -----------------------------------------------------------------------

    def give(self, host: Host, queue_id: str, message: Message) -> None:
        """Hand out a sighting for each recipient of a message."""
        if not message[0] or message.parent is not None:
            return
        if not message.queued and message.reason is None:
            return  # the client went away before it was through
        head = message[0].partition(": ")[0]
        address, name, service = self._client(message)
        time = self._book.moment(head)
        out = self._book.sightings
        message.told = {}
        fates = message.fates or {None: {}}
        for recipient, fate in fates.items():
            delivery = _worst(list(fate.values())) if fate else None
            message.told[recipient] = delivery
            out.append(
                sighting(
                    (
                        time,
                        host.name,
                        service or service_of(head),
                        address,
                        name,
                        message.helo,
                        message.sender,
                        recipient,
                        _ACCEPTED,
                        250,
                        None,
                        queue_id,
                        delivery,
                        message.score,
                        message.reason,
                    )
                )
            )

    def _give_early(self, host: Host, queue_id: str, message: Message) -> None:
        self.fold(host, queue_id, message)
        self.give(host, queue_id, message)
        if message.told is not None or message.parent is not None:
            host.known[queue_id] = message
            if len(host.known) > MAX_MESSAGES:
                del host.known[next(iter(host.known))]

    def _news(self, host: Host, queue_id: str, message: Message) -> None:
        """Tell what changed since a message was handed out."""
        told = message.told
        if told is None:
            return
        time = self._book.moment(message[0].partition(": ")[0])
        for recipient, fate in (message.fates or {}).items():
            delivery = _worst(list(fate.values()))
            if recipient in told and told[recipient] is not delivery:
                told[recipient] = delivery
                self._book.updates.append(Update(time, host.name, queue_id, recipient, delivery))

    def _client(self, message: Message) -> tuple[str | None, str | None, str | None]:
        if message.adopted is not None:
            return message.adopted
        address, name = client_parts(message[0].partition(": client=")[2].partition(",")[0])
        return address, name, None

    def pack(self) -> dict[str, Any]:
        """What waits, for a dump."""
        return {"due": self._due, "filters": sorted(self._filters)}

    def unpack(self, state: dict[str, Any]) -> None:
        """Back from a dump."""
        self._due = [(until, name, queue_id) for until, name, queue_id in state["due"]]
        self._filters = set(state["filters"])

    def finish(self) -> None:
        """The log ends: hand out all."""
        self._due.clear()
        for host in self._book.hosts.values():
            for table in (host.orphans, host.fresh):
                for queue_id, message in table.items():
                    self.fold(host, queue_id, message)
            for table in (host.fresh, host.orphans):
                for queue_id, message in table.items():
                    if message.parent is not None:
                        self._inherit(queue_id, message)
            for table in (host.fresh, host.orphans):
                for queue_id, message in table.items():
                    if message.told is None:
                        self.give(host, queue_id, message)
                table.clear()


def _queue_id(message: Message) -> str:
    return message.queue_id or message[0].split(": ", 2)[1]


def _descends(message: Message, ancestor: Message) -> bool:
    at: Message | None = message
    for _ in range(100):
        if at is None:
            return False
        if at is ancestor:
            return True
        at = at.parent
    return True


def _worst(deliveries: list[Delivery]) -> Delivery:
    if len(deliveries) == 1:
        return deliveries[0]
    for one in (_BOUNCED, _DEFERRED):
        if one in deliveries:
            return one
    return _SENT


def _shortened(text: str) -> str:
    """A note that is too long, without what is not needed of it."""
    if not text.startswith("to=<"):
        return text[:_MAX_NOTE]
    at = text.find(" status=")
    return text[: _MAX_NOTE // 2] + text[at : at + _MAX_NOTE // 2] if at > 0 else text[:_MAX_NOTE]
