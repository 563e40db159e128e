"""Which message a score belongs to: by queue id, or by Message-ID.

Message-IDs are looked after from the first line on that a spam filter logs; before it, and in logs
without any, they cost nothing.  Filters give messages back under another queue id and with the same
Message-ID: the score is that of the first, the contact.

A filter that is asked as a milter may have its message rejected: then its line stands just before
the rejection or just after it.
"""

from mailmum.postfix.log.book import MAX_MESSAGES, MAX_WAITING, NOTES, Book, Host, Message
from mailmum.postfix.log.bounds import NOTE
from mailmum.postfix.log.scores import Score
from mailmum.traffic.sightings import Update


def scored(book: Book, host: Host, score: Score) -> None:
    """A filter told the score of a message."""
    if not book.scoring:
        book.scoring = True
        for known in book.hosts.values():
            for message in filter(None, map(known.open, known.fresh)):
                _identify_all(known, message)
    queue_id = score.queue_id or host.ids.get(f"message-id={score.message_id}"[:NOTE])
    if queue_id is None:
        return
    found = host.open(queue_id) or host.orphans.get(queue_id)
    if found is not None:
        found.score = score.score
        return
    time = host.gone.get(queue_id)
    if time is not None:
        book.updates.append(Update(time, host.name, queue_id, None, None, score.score))


def refused_for(book: Book, host: Host, queue_id: str) -> None:
    """The sighting just made is of a message that was turned away whole."""
    message, last = host.open(queue_id), book.sightings[-1]
    if message is not None and message.score is not None:
        book.sightings[-1] = last._replace(score=message.score)
    elif book.scoring:
        remember(host, queue_id, last.time)


def remember(host: Host, queue_id: str, time: float) -> None:
    """A message was handed out without waiting for its score."""
    host.gone[queue_id] = time
    if len(host.gone) > MAX_WAITING:
        del host.gone[next(iter(host.gone))]


def identify(host: Host, queue_id: str, note: str) -> None:
    """Remember whose Message-ID it is; of several that are open, the first one's."""
    note = note[:NOTE]
    if host.ids.get(note) not in host.fresh:
        host.ids.pop(note, None)
        host.ids[note] = queue_id
        if len(host.ids) > MAX_MESSAGES:
            del host.ids[next(iter(host.ids))]


def _identify_all(host: Host, message: Message) -> None:
    notes = message[NOTES:] if message.message_id is None else [message.message_id]
    for note in notes:
        if note.startswith("message-id="):
            identify(host, message.queue_id, note)
