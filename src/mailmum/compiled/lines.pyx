# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=False, binding=False
"""The loop over the lines of a busy mail log, compiled.

It does what `postfix.log.quick` does, to the same tables, and says the same; that module tells what
a line means.  The rules:

- Only lines of ASCII that have one of a handful of shapes are read here.  Every other line, and
  whatever is in any doubt, goes the long way, which is always right.
- A line is bytes with a length.  Nothing is read without that length, nothing is copied into a
  place of fixed size, and no search goes over a line more than a few times.
- What is kept are Python's own objects, so that everybody else reads them; no memory is managed
  here.

    loop = Loop(tools)
    lines, foreign = loop.read(piece, lane, long_way)
"""

from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.math cimport rint
from libc.string cimport memchr, memcmp, memcpy

cdef extern from "Python.h":
    object PyUnicode_FromStringAndSize(const char *text, Py_ssize_t size)
    object PyUnicode_DecodeUTF8(const char *text, Py_ssize_t size, const char *errors)
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    Py_ssize_t PyUnicode_GetLength(object text) except -1
    char *PyBytes_AsString(object data) except NULL
    Py_ssize_t PyBytes_Size(object data) except -1
    PyObject *PyDict_GetItemWithError(object table, object key) except? NULL
    int PyDict_SetItem(object table, object key, object value) except -1
    int PyDict_DelItem(object table, object key) except -1
    Py_ssize_t PyDict_Size(object table) except -1
    int PyList_Append(object items, object item) except -1
    Py_ssize_t PyList_Size(object items) except -1

cdef enum:
    ADDRESS = 320
    NAME = 255
    REASON = 500
    NOTE = 1000
    NOTES = 4
    PARTS = 3
    STAMP = 64
    # Of `2026-11-25T10:00:07.123456+01:00`: all of it, what stands before the seconds and after.
    ISO = 32
    MINUTE = 17
    ZONE = 6
    JUDGED = 4096
    PROGRAMS = 1024
    BSD = 15


cdef struct Span:
    # Some bytes of a line, or none: `at` is NULL then.
    const char *at
    Py_ssize_t size


cdef inline Span span(const char *at, Py_ssize_t size) noexcept:
    cdef Span made
    made.at = at
    made.size = size
    return made


cdef inline Span after(Span text, Py_ssize_t begin) noexcept:
    return span(text.at + begin, text.size - begin)


cdef inline Py_ssize_t find(Span text, const char *word, Py_ssize_t size, Py_ssize_t begin=0) noexcept:
    # Where a word stands, or -1.  Words are short and begin with what is seldom.
    cdef const char *at
    cdef const char *last
    if text.size - begin < size:
        return -1
    at, last = text.at + begin, text.at + (text.size - size)
    while at <= last:
        at = <const char *>memchr(at, word[0], <size_t>(last - at + 1))
        if at is NULL:
            return -1
        if memcmp(at, word, <size_t>size) == 0:
            return at - text.at
        at += 1
    return -1


cdef inline bint begins(Span text, const char *word, Py_ssize_t size) noexcept:
    return text.size >= size and memcmp(text.at, word, <size_t>size) == 0


cdef inline object string(Span text):
    return PyUnicode_FromStringAndSize(text.at, text.size)


cdef inline object get(table, key):
    # What a dictionary has under a key, or None.
    cdef PyObject *found = PyDict_GetItemWithError(table, key)
    return <object>found if found is not NULL else None


cdef inline bint is_ascii(const char *at, Py_ssize_t size) noexcept:
    cdef Py_ssize_t place
    cdef unsigned char seen = 0
    for place in range(size):
        seen |= <unsigned char>at[place]
    return seen < 128


cdef Span spelt(object text):
    # The bytes of a string of ASCII; NULL for any other.
    cdef Py_ssize_t size = 0
    cdef const char *at = NULL
    if type(text) is not str:
        return span(NULL, 0)
    try:
        at = PyUnicode_AsUTF8AndSize(text, &size)
    except UnicodeEncodeError:
        return span(NULL, 0)
    return span(at if size == PyUnicode_GetLength(text) else NULL, size)


cdef inline object decoded(Span text):
    return PyUnicode_DecodeUTF8(text.at, text.size, b"replace")


cdef inline bint is_queued(object note):
    cdef Span text = spelt(note)
    return text.at is not NULL and (begins(text, b"from=<", 6) or begins(text, b"to=<", 4))


cdef inline bint is_octets(Span text) noexcept:
    # Four numbers up to 255 without leading zeros.
    cdef Py_ssize_t at
    cdef int value = -1, dots = 0
    cdef char byte
    if text.size > 15:
        return False
    for at in range(text.size):
        byte = text.at[at]
        if 48 <= byte <= 57:
            if value == 0:
                return False
            value = byte - 48 if value < 0 else value * 10 + byte - 48
            if value > 255:
                return False
        elif byte == 46 and value >= 0 and dots < 3:
            value, dots = -1, dots + 1
        else:
            return False
    return dots == 3 and value >= 0


BOUNDS = (ADDRESS, NAME, REASON, NOTE, NOTES, PARTS)


cdef class Loop:
    """Reads pieces of one log.

    `tools` is what it works with, by the names that `postfix.log.quick` knows: the book, the two
    that follow messages and sessions, the type of what is made, and what decides about refusals.
    """

    cdef object book, messages, sessions, sighting, judge, client_parts, message_type
    cdef object program
    cdef object accepted, connected, filters, usual_code, sent, deferred, bounced
    cdef dict times, table, fresh, early, named, judged, programs
    cdef list out
    cdef Py_ssize_t room, most_notes, most_sessions
    # What lines look like just now.
    cdef object prefix_text, host, host_name, place
    cdef bytes prefix, start
    cdef const char *prefix_at
    cdef const char *start_at
    cdef Py_ssize_t at, prefix_size, start_size, host_size
    cdef bint scoring, holding, known
    cdef double until
    # The stamp of the line before, and what it means.
    cdef char stamp[STAMP]
    cdef Py_ssize_t stamp_size
    cdef object stamp_text, moment
    # The minute of a stamp read before, and its Unix time.
    cdef char minute[MINUTE + ZONE]
    cdef double minute_begun

    def __init__(self, tools):
        self.book = tools.book
        self.messages = tools.messages
        self.sessions = tools.sessions
        self.sighting = tools.sighting
        self.judge = tools.judge
        self.client_parts = tools.client_parts
        self.program = tools.program
        self.message_type = tools.message_type
        self.accepted = tools.accepted
        self.connected = tools.connected
        self.sent, self.deferred, self.bounced = tools.deliveries
        self.most_notes = tools.most_notes
        self.most_sessions = tools.most_sessions
        self.holding = tools.holding
        self.usual_code = 250
        self.named, self.judged, self.programs = {}, {}, {}
        self.minute[0] = 0

    def read(self, bytes piece, lane, long_way):
        """Read whole lines, each with its end.

        How many there were, and how many of those read here are other programs'.
        """
        cdef const char *at = PyBytes_AsString(piece)
        cdef const char *last = at + PyBytes_Size(piece)
        cdef const char *end
        cdef Py_ssize_t size, lines = 0, foreign = 0
        cdef bint plain = piece.isascii()
        cdef Span line, before = span(NULL, 0)
        self.look(lane)
        while at < last:
            end = <const char *>memchr(at, 10, <size_t>(last - at))
            if end is NULL:
                end = last
            size = end - at
            if size and at[size - 1] == 13:
                size -= 1
            line = span(at, size)
            lines += 1
            if not (plain or is_ascii(at, size)):
                self.go_long(line, before, lane, long_way)
            elif self.line(line):
                pass
            elif self.is_foreign(line):
                foreign += 1
            else:
                self.go_long(line, before, lane, long_way)
            before = line
            at = end + 1
        if before.at is not NULL:
            lane.previous = decoded(before)
        self.forget()
        return lines, foreign

    cdef int go_long(self, Span line, Span before, lane, long_way) except -1:
        if before.at is not NULL and find(line, b"message repeated ", 17) >= 0:
            lane.previous = decoded(before)
        long_way(decoded(line))
        self.look(lane)
        return 0

    cdef bint is_foreign(self, Span line) except -1:
        # Whether another program of this machine said it, which is no mail server's.
        cdef Py_ssize_t at = self.at, size = self.host_size, end, digits
        cdef Span tag
        if (
            size == 0
            or line.size <= at + size
            or memcmp(line.at + at, self.prefix_at, <size_t>size) != 0
            or line.at[0] == 123
            or line.at[0] == 60
            or (at != BSD and find(span(line.at, at), b" ", 1) >= 0)
        ):
            return False
        tag = after(line, at + size)
        end = 0
        while end < tag.size and tag.at[end] not in b" \t\n\r\v\f\x1c\x1d\x1e\x1f:[]":
            end += 1
        digits = end
        if digits < tag.size and tag.at[digits] == 91:
            digits += 1
            while digits < tag.size and 48 <= tag.at[digits] <= 57:
                digits += 1
            if digits == end + 1 or digits > end + 21 or digits >= tag.size or tag.at[digits] != 93:
                return False
            digits += 1
        if end == 0 or end > 200 or digits >= tag.size or tag.at[digits] != 58:
            return False
        name = string(span(tag.at, end))
        known = get(self.programs, name)
        if known is None:
            if PyDict_Size(self.programs) >= PROGRAMS:
                self.programs.clear()
            known = self.programs[name] = self.program(name) is None
        return known

    cdef int look(self, lane) except -1:
        # After a line that went the long way anything may be otherwise.
        book = self.book
        if lane.prefix is not self.prefix_text or lane.host is not self.host:
            self.prefix_text = lane.prefix
            prefix = lane.prefix
            self.prefix = prefix.encode() if prefix.isascii() and ": " not in prefix else b"\n"
            self.host = lane.host
            self.host_name = lane.host.name
        self.at = lane.at if lane.at < STAMP else 0
        if not self.at:
            self.prefix = b"\n"
            self.prefix_text = None
        self.fresh = self.host.fresh
        self.known = bool(self.host.known)
        self.table = book.sessions
        self.times = book.times
        self.early = book.early
        self.out = book.sightings
        self.scoring = book.scoring
        self.room = book.room
        self.prefix_at, self.prefix_size = PyBytes_AsString(self.prefix), PyBytes_Size(self.prefix)
        # Lines of its other programs begin with the blanks and the name between them.
        self.host_size = find(span(self.prefix_at + 1, self.prefix_size - 1), b" ", 1) + 2
        if self.host_size < 3 or self.host_name not in book.hosts:
            self.host_size = 0
        self.start = book.smtpd.encode("utf-8", "surrogatepass")
        self.start_at, self.start_size = PyBytes_AsString(self.start), PyBytes_Size(self.start)
        self.place = book.smtpd_place
        self.filters = self.messages.filters
        self.until = lane.until
        self.stamp_size = 0
        return 0

    cdef int forget(self) except -1:
        self.stamp_size = 0
        self.out = None
        return 0

    cdef inline bint line(self, Span line) except -1:
        # Whether a line was read here.
        cdef Py_ssize_t at = self.at, size = self.prefix_size, colon, end
        cdef Span head, word, rest
        if line.size <= at + size or memcmp(line.at + at, self.prefix_at, <size_t>size) != 0:
            return False
        colon = find(line, b": ", 2, at + size)
        if colon < 0:
            return False
        head = span(line.at + at + 1, colon - at - 1)
        word = after(line, colon + 2)
        end = find(word, b": ", 2)
        if end < 0:
            return self.spoken(line, head, word)
        rest = after(word, end + 2)
        word.size = end
        if word.size == 7 and memcmp(word.at, b"NOQUEUE", 7) == 0:
            return self.refused(line, head, rest)
        if begins(rest, b"client=", 7):
            return self.begun(line, head, string(word), rest)
        if rest.size >= 3 and (
            memcmp(rest.at, b"to=", 3) == 0
            or memcmp(rest.at, b"fro", 3) == 0
            or (memcmp(rest.at, b"mes", 3) == 0 and not self.scoring)
        ):
            return self.noted(line, string(word), rest)
        if rest.size == 7 and memcmp(rest.at, b"removed", 7) == 0:
            return self.removed(line, string(word))
        return (
            word.size > 0
            and word.at[word.size - 1] == 93
            and is_secured(word)
            and find(head, b"/smtpd[", 7) >= 0
            and string(word) not in self.fresh
            and self.in_time(line)
        )

    cdef bint in_time(self, Span line) except -1:
        # Reads the stamp, where it is another than that of the line before; whether all is well.
        cdef Py_ssize_t at = self.at
        if self.stamp_size == at and memcmp(self.stamp, line.at, <size_t>at) == 0:
            return True
        if find(span(line.at, at + 1), b": ", 2) >= 0:
            return False
        memcpy(self.stamp, line.at, <size_t>at)
        self.stamp_size = at
        self.stamp_text = self.moment = None
        return not self.holding or self.not_yet(line)

    cdef bint not_yet(self, Span line) except -1:
        # Whether nothing can have waited long enough; else the long way is to look after it.
        moment = self.now()
        if <double>moment < self.until:
            self.book.time = moment
            return True
        self.stamp_size = 0
        return False

    cdef object said_at(self):
        # The stamp of the line.
        if self.stamp_text is None:
            self.stamp_text = PyUnicode_FromStringAndSize(self.stamp, self.stamp_size)
        return self.stamp_text

    cdef object now(self):
        # And its meaning.
        if self.moment is None:
            self.moment = self.time(span(self.stamp, self.stamp_size))
        return self.moment

    cdef object time(self, Span stamp):
        # What a stamp means.
        cdef double seconds
        moment = self.quick(stamp)
        if moment is not None:
            return moment
        text = string(stamp)
        moment = get(self.times, text)
        if moment is None:
            moment = self.book.moment(text)
        seconds = seconds_of(stamp)
        if seconds >= 0:
            memcpy(self.minute, stamp.at, MINUTE)
            memcpy(self.minute + MINUTE, stamp.at + ISO - ZONE, ZONE)
            self.minute_begun = rint(<double>moment - seconds)
            if self.minute_begun + seconds != <double>moment:
                self.minute[0] = 0  # no such time
        return moment

    cdef inline object quick(self, Span stamp):
        # In stamps of rsyslog all but the seconds is that of many lines.
        cdef double seconds
        if stamp.size != ISO or not self.in_minute(stamp):
            return None
        seconds = seconds_of(stamp)
        return self.minute_begun + seconds if seconds >= 0 else None

    cdef inline bint in_minute(self, Span stamp) noexcept:
        return (
            memcmp(self.minute, stamp.at, MINUTE) == 0
            and memcmp(self.minute + MINUTE, stamp.at + ISO - ZONE, ZONE) == 0
        )

    # --- sessions --------------------------------------------------------------------------

    cdef bint spoken(self, Span line, Span head, Span word) except -1:
        cdef Span who
        cdef Py_ssize_t end
        if begins(word, b"connect from ", 13):
            if not self.in_time(line):
                return False
            key = string(head)
            opened = get(self.table, key)
            if opened is not None:
                PyDict_DelItem(self.table, key)  # what comes now is the youngest
                if type(opened) is str:
                    self.ended(key, head, opened, span(NULL, 0))
                elif type(opened) is not list or PyList_Size(opened) > PARTS:
                    self.sessions.end(key, opened)
            PyDict_SetItem(self.table, key, string(line))
            if PyDict_Size(self.table) > self.most_sessions:
                self.sessions.end_oldest()
            return True
        if begins(word, b"disconnect from ", 16):
            if not self.in_time(line):
                return False
            key = string(head)
            opened = get(self.table, key)
            if opened is None:
                return True
            PyDict_DelItem(self.table, key)
            who = after(word, 16)
            end = find(who, b" ", 1)
            if end >= 0:
                who.size = end
            if type(opened) is str:
                self.ended(key, head, opened, who)
            # Without notes the last is the queue id, whatever that looks like.
            elif type(opened) is not list or (
                PyList_Size(opened) == PARTS + 1
                or (
                    PyList_Size(opened) > PARTS
                    and not is_queued((<list>opened)[PyList_Size(opened) - 1])
                )
            ):
                self.sessions.end(key, opened, string(who))
            return True
        if begins(word, b"lost connection after ", 22):
            if not self.in_time(line):
                return False
            self.sessions.ended(string(head), self.said_at(), string(word))
            return True
        return False

    cdef int ended(self, key, Span head, opened, Span who) except -1:
        # A session is over of which only the connect line is known.
        cdef Span line = spelt(opened)
        cdef Py_ssize_t colon = -1, blank
        if line.at is not NULL:
            colon = find(line, b": connect from ", 15, 15)
        if colon < 0:
            self.sessions.end(key, opened, string(who) if who.at is not NULL else "")
            return 0
        blank = find(span(line.at, colon), b" ", 1, 15)
        if blank < 0 or find(line, b": connect from ", 15) != colon:
            self.sessions.end(key, opened, string(who) if who.at is not NULL else "")
            return 0
        if who.size <= 0:
            who = after(line, colon + 15)
        address, name = self.client(who)
        host, service = self.where(key, head)
        moment = self.time(span(line.at, blank))
        self.give((
            moment, host, service, address, name, None, None, None, self.connected,
            None, None, None, None, None, None, (), None,
        ))
        return 0

    cdef int give(self, tuple fields) except -1:
        return PyList_Append(self.out, self.sighting(fields))

    cdef object where(self, key, Span head):
        if begins(head, self.start_at, self.start_size):
            return self.place
        return self.book.place(key)

    cdef tuple client(self, Span who):
        # Address and name, as `client_parts` tells them.
        cdef Py_ssize_t begin = find(who, b"[", 1), end
        cdef Span address
        if begin >= 0:
            end = find(who, b"]", 1, begin)
            address = span(who.at + begin + 1, (end if end >= 0 else who.size) - begin - 1)
            if is_octets(address):
                if begin == 0 or (begin == 7 and memcmp(who.at, b"unknown", 7) == 0):
                    return (string(address), None)
                return (string(address), string(span(who.at, min(begin, <Py_ssize_t>NAME))))
        return self.client_parts(string(who))

    # --- refusals --------------------------------------------------------------------------

    cdef bint refused(self, Span line, Span head, Span rest) except -1:
        if not begins(rest, b"reject: ", 8) or find(head, b"/postscreen[", 12) >= 0:
            return False
        key = string(head)
        opened = get(self.table, key)
        # Of a session with a message, more is known than that.
        if not (
            opened is None
            or type(opened) is str
            or (type(opened) is list and PyList_Size(opened) == PARTS)
        ):
            return False
        if not self.in_time(line) or not self.usual(head, key, rest):
            return False
        whole = string(span(line.at, head.at - line.at + head.size))
        PyDict_SetItem(self.table, key, [whole, "NOQUEUE", string(rest)])
        return True

    cdef bint usual(self, Span head, key, Span text) except -1:
        cdef Py_ssize_t at = find(text, b"; from=<", 8), code
        cdef Span body, sender, recipient, helo, reply
        if at < 0 or not begins(text, b"reject: RCPT from ", 18):
            return False
        body = span(text.at, at)
        sender = after(text, at + 8)
        at = find(sender, b"> to=<", 6)
        if at < 0:
            return False
        recipient = after(sender, at + 6)
        sender.size = at
        at = find(recipient, b"> proto=", 8)
        if at < 0:
            return False
        helo = after(recipient, at + 8)
        recipient.size = at
        at = find(helo, b" helo=<", 7)
        if at < 0:
            return False
        helo = after(helo, at + 7)
        if not helo.size or find(helo, b">", 1) != helo.size - 1:
            return False
        at = find(body, b"]: ", 3)
        if at < 18 or find(body, b"]", 1) != at:
            return False
        reply = after(body, at + 3)
        body = span(body.at + 18, at + 1 - 18)
        if (
            helo.size > NAME
            or sender.size > ADDRESS
            or recipient.size > ADDRESS
            or reply.size > REASON
            or reply.size < 4
            or reply.at[3] != 32
            or not (52 <= reply.at[0] <= 53 and 48 <= reply.at[1] <= 57 and 48 <= reply.at[2] <= 57)
        ):
            return False
        code = reply.at[0] * 100 + reply.at[1] * 10 + reply.at[2] - 5328
        helo.size -= 1
        self.say(head, key, body, code, after(reply, 4), sender, recipient, helo)
        return True

    cdef int say(
        self, Span head, key, Span who, Py_ssize_t code, Span reply, Span sender, Span recipient, Span helo
    ) except -1:
        said, by, to, name = string(reply), string(sender), string(recipient), string(helo)
        number = code
        outcome, rbl = self.judged_by(number, reply, said, sender, recipient, helo)
        address, verified = self.client(who)
        host, service = self.where(key, head)
        self.give((
            self.now(), host, service, address, verified, name, by, to, outcome, number,
            rbl, None, None, None, said, (), None,
        ))
        return 0

    cdef tuple judged_by(self, code, Span reply, said, Span sender, Span recipient, Span helo):
        # Outcome and list.  Replies repeat but for whom they are about: what most say is known.
        cdef Py_ssize_t at = find(reply, b" blocked using ", 15), end
        cdef Span zone
        cdef dict known = self.named
        if at >= 0:
            zone = after(reply, at + 15)
            end = find(zone, b";", 1)
            if end >= 0:
                zone.size = end
            if zone.size > NAME:
                zone.size = NAME
            key = (code, reply.at[0], string(zone))
        else:
            known = self.judged
            key = self.without_subject(code, reply, sender, recipient, helo)
        judged = get(known, key) if key is not None else None
        if judged is None:
            judged = self.judge("RCPT", code, said, (string(recipient), string(sender), string(helo)))
            if key is not None and (at < 0 or judged[1] is not None):
                if PyDict_Size(known) >= JUDGED:
                    known.clear()
                known[key] = judged
        return judged

    cdef tuple without_subject(self, code, Span reply, Span sender, Span recipient, Span helo):
        # Code, status and text of a reply; `<somebody@here.example>: ` at its start left out.
        cdef Span status = reply, text = reply
        cdef Py_ssize_t at = find(reply, b" ", 1)
        if at < 0:
            return None
        if at >= 2 and reply.at[1] == 46 and reply.at[0] in b"245":
            status.size = at
            text = after(reply, at + 1)
        else:
            status.size = 0
        if text.size and text.at[0] == 60:
            at = subject(text, recipient) or subject(text, sender) or subject(text, helo)
            text = after(text, at)
        if text.size and text.at[text.size - 1] == 93:
            at = last_of(text, b"[", 1)
            text.size = at if at >= 0 else text.size - 1
        return (code, string(status), string(text))

    # --- messages --------------------------------------------------------------------------

    cdef bint begun(self, Span line, Span head, queue_id, Span rest) except -1:
        if queue_id in self.fresh or not self.in_time(line):
            return False
        cdef bint plain = not self.known and find(rest, b", ", 2) < 0
        key = string(head)
        text = string(rest)
        if plain:
            opened = get(self.table, key)
            # Of a client that was refused something before, the HELO is known.
            plain = opened is None or type(opened) is str or (
                type(opened) is list
                and PyList_Size(opened) == PARTS
                and text[7:] not in opened[2]
            )
        if not plain:
            message = self.messages.opened(self.host, queue_id, key, self.said_at(), text)
            self.sessions.opened(key, self.said_at(), queue_id, message)
            self.known = bool(self.host.known)
            return True
        lines = [key, self.said_at(), text, queue_id]
        PyDict_SetItem(self.table, key, lines)
        PyDict_SetItem(self.fresh, queue_id, lines)
        if self.holding:
            self.messages.wait(self.host, queue_id)
        if PyDict_Size(self.fresh) > self.room:
            self.messages.make_room(self.host)
            self.known = bool(self.host.known)
        return True

    cdef bint noted(self, Span line, queue_id, Span rest) except -1:
        message = get(self.fresh, queue_id)
        if message is None or rest.size > NOTE or PyList_Size(message) >= self.most_notes:
            return False
        if not self.in_time(line):
            return False
        PyList_Append(message, string(rest))
        return True

    cdef bint removed(self, Span line, queue_id) except -1:
        message = get(self.fresh, queue_id)
        if message is None or not self.in_time(line):
            return False
        PyDict_DelItem(self.fresh, queue_id)
        if type(message) is not list or not self.plain(<list>message):
            if type(message) is not self.message_type:
                message = self.message_type(message)
            self.messages.removed(self.host, message)
        return True

    cdef bint plain(self, list lines) except -1:
        # Hands out a message of which the usual was said, and only that; whether it is one.
        cdef Span client, sender, to, key, stamp
        cdef Py_ssize_t end, close
        if len(lines) != NOTES + 3:
            return False
        client, sender, to, key = spelt(lines[2]), spelt(lines[5]), spelt(lines[6]), spelt(lines[0])
        if client.at is NULL or sender.at is NULL or to.at is NULL or key.at is NULL:
            return False
        if not (begins(to, b"to=<", 4) and begins(sender, b"from=<", 6)):
            return False
        end = find(to, b">, ", 3, 4)
        close = last_of(sender, b">, ", 3)
        if (
            end < 0
            or not begins(after(to, end), b">, relay=", 9)
            or close < 6
            or not begins(after(sender, close), b">, size=", 8)
            or find(to, b" as ", 4) >= 0
            or find(client, b", ", 2) >= 0
            or not lines[4].startswith("message-id=")
        ):
            return False
        delivery = self.fate(to, end)
        if delivery is None:
            return False
        address, name = self.client(after(client, 7))
        if address in self.filters or lines[3] in self.early:
            return False
        _, service = self.where(lines[0], key)
        stamp = spelt(lines[1])
        moment = self.time(stamp) if stamp.at is not NULL else self.book.moment(lines[1])
        self.give((
            moment, self.host_name, service, address, name, None,
            string(span(sender.at + 6, min(close - 6, <Py_ssize_t>ADDRESS))),
            string(span(to.at + 4, min(end - 4, <Py_ssize_t>ADDRESS))),
            self.accepted, self.usual_code, None, lines[3], delivery, None, None, (), None,
        ))
        return True

    cdef object fate(self, Span to, Py_ssize_t begin):
        cdef Py_ssize_t at = find(to, b" status=", 8, begin)
        cdef Span word
        if at < 0:
            return None
        word = after(to, at + 8)
        at = find(word, b" ", 1)
        if at >= 0:
            word.size = at
        if word.size == 4 and memcmp(word.at, b"sent", 4) == 0:
            return self.sent
        if word.size == 8 and memcmp(word.at, b"deferred", 8) == 0:
            return self.deferred
        if word.size == 7 and memcmp(word.at, b"bounced", 7) == 0:
            return self.bounced
        return None


cdef inline Py_ssize_t subject(Span text, Span about) noexcept:
    # How long `<ABOUT>: ` is at the start of a text; 0 when it is not there.
    if (
        text.size >= about.size + 4
        and memcmp(text.at + 1, about.at, <size_t>about.size) == 0
        and memcmp(text.at + 1 + about.size, b">: ", 3) == 0
    ):
        return about.size + 4
    return 0


cdef inline bint is_secured(Span word) noexcept:
    cdef Py_ssize_t blank = find(word, b" ", 1)
    return (
        blank > 0
        and begins(after(word, blank), b" TLS connection established from ", 33)
        and (
            (blank == 9 and memcmp(word.at, b"Anonymous", 9) == 0)
            or (blank == 9 and memcmp(word.at, b"Untrusted", 9) == 0)
            or (blank == 7 and memcmp(word.at, b"Trusted", 7) == 0)
            or (blank == 8 and memcmp(word.at, b"Verified", 8) == 0)
        )
    )


cdef double seconds_of(Span stamp) noexcept:
    # `07.123456`, in the middle of a stamp; -1 when it has none.
    cdef Py_ssize_t at
    cdef long number = 0
    if stamp.size != ISO or stamp.at[19] != 46:
        return -1
    for at in range(MINUTE, ISO - ZONE):
        if at == 19:
            continue
        if not 48 <= stamp.at[at] <= 57:
            return -1
        number = number * 10 + stamp.at[at] - 48
    return number / 1e6


cdef Py_ssize_t last_of(Span text, const char *word, Py_ssize_t size) noexcept:
    # Where a word stands for the last time, or -1.
    cdef Py_ssize_t at = text.size - size
    while at >= 0:
        if memcmp(text.at + at, word, <size_t>size) == 0:
            return at
        at -= 1
    return -1
