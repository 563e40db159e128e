"""Which message a score belongs to: by queue id, or by Message-ID.

Message-IDs are looked after from the first line on that a spam filter logs; before it, and in logs
without any, they cost nothing.  Filters give messages back under another queue id and with the same
Message-ID: the score is that of the first, the contact.
"""

from mailmum.postfix.log.book import MAX_MESSAGES, NOTES, Book, Host, Message
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
