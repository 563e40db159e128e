"""Which message a score belongs to: by queue id, or by Message-ID.

Message-IDs are looked after from the first line on that a spam filter logs; before it, and in logs
without any, they cost nothing.  Filters give messages back under another queue id and with the same
Message-ID: the score is that of the first, the contact.

A filter that is asked as a milter may have its message rejected: then its line stands just before
the rejection or just after it.

The log that Rspamd writes itself names no host, and may be read beside the mail log or by itself.
Of messages that are not known here its scores wait: for whoever reads both they are early, for
whoever follows this log alone they are news of what others read.
"""

from mailmum.postfix.log.book import MAX_MESSAGES, MAX_WAITING, NOTES, Book, Host, Message
from mailmum.postfix.log.bounds import NOTE
from mailmum.postfix.log.scores import Score
from mailmum.traffic.sightings import Update

MAX_EARLY = 1 << 15
_EARLY_FOR = 3600.0
_SETTLED = 60.0


def scored(book: Book, host: Host, score: Score, time: float) -> None:
    """A filter told the score of a message at a time."""
    if not book.scoring:
        book.scoring = True
        for known in book.hosts.values():
            for message in filter(None, map(known.open, known.fresh)):
                _identify_all(known, message)
    queue_id = score.queue_id or host.ids.get(f"message-id={score.message_id}"[:NOTE])
    if queue_id is None:
        return
    if host.name:
        _tell(book, host, queue_id, score)
    elif not any(_tell(book, one, queue_id, score) for one in book.hosts.values()):
        book.early.pop(queue_id, None)
        book.early[queue_id] = (time, score.score, score.spam)
        if len(book.early) > MAX_EARLY:
            del book.early[next(iter(book.early))]


def _tell(book: Book, host: Host, queue_id: str, score: Score) -> bool:
    """Tell a message of a host its score; whether it is known."""
    found = host.open(queue_id) or host.orphans.get(queue_id)
    if found is not None:
        found.score, found.spam = score.score, score.spam
        return True
    time = host.gone.get(queue_id)
    if time is None:
        return False
    news = (None, None, score.score, score.spam)
    book.updates.append(Update(time, host.name, queue_id, *news))
    return True


def take_early(book: Book, message: Message) -> None:
    """A message is handed out; its score may have been told before it was known."""
    early = book.early.get(message.queue_id)
    if early is None or message.score is not None:
        return
    time, score, spam = early
    # The short queue ids of Postfix come again.
    if abs(time - book.moment(message[1])) <= _EARLY_FOR:
        del book.early[message.queue_id]
        message.score, message.spam = score, spam


def settle(book: Book, now: float, hold: float) -> None:
    """Scores whose messages are not known here, and must have been handed out by now."""
    while book.early:
        queue_id, (time, score, spam) = next(iter(book.early.items()))
        if time > now - hold - _SETTLED:
            break
        del book.early[queue_id]
        book.updates.append(Update(time, "", queue_id, None, None, score, spam))


def refused_for(book: Book, host: Host, queue_id: str) -> None:
    """The sighting just made is of a message that was turned away whole."""
    message, last = host.open(queue_id), book.sightings[-1]
    if message is not None:
        take_early(book, message)
    if message is not None and message.score is not None:
        book.sightings[-1] = last._replace(score=message.score, spam=message.spam)
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
