# Texts: what a TXT record says of a listing, as `dns.texts` and `domain.public` make it.
#
# The reason, or the server's own text where there is none, and behind it the link to the page that
# explains it, which ends with the client.  All of it but the client lies ready.  What does not fit
# into one string, or has a key of the server in it, is left to Python, which cuts and strikes out.

cdef enum:
    MOST_TEXT = 255
    # Owner, type, class, TTL, length, and length of the string.
    TEXT_AT = 13
    # Of an address; a name is its own.
    CLIENT_ROOM = 48


cdef uint32_t spell_octets(uint8_t *text, uint32_t address) noexcept nogil:
    cdef uint32_t at = 0, value
    cdef int shift
    for shift in range(24, -8, -8):
        value = address >> shift & 255
        if value >= 100:
            text[at] = <uint8_t>(48 + value // 100)
            at += 1
        if value >= 10:
            text[at] = <uint8_t>(48 + value // 10 % 10)
            at += 1
        text[at] = <uint8_t>(48 + value % 10)
        text[at + 1] = 46
        at += 2
    return at - 1


cdef uint32_t spell_group(uint8_t *text, uint32_t value) noexcept nogil:
    # In hexadecimal without leading zeros, a colon behind it.
    cdef uint32_t at = 0, digit
    cdef int shift
    for shift in range(12, -4, -4):
        digit = value >> shift & 15
        if at or digit or not shift:
            text[at] = <uint8_t>(digit + (48 if digit < 10 else 87))
            at += 1
    text[at] = 58
    return at + 1


cdef uint32_t spell_groups(uint8_t *text, u128 address) noexcept nogil:
    # RFC 5952: the first of the longest runs of zeros, if there are two at least, is left out.
    cdef uint32_t groups[8]
    cdef uint32_t at = 0
    cdef int group, run = 0, first = 8, most = 1
    for group in range(8):
        groups[group] = <uint32_t>(address >> (112 - 16 * group)) & 0xFFFF
        run = 0 if groups[group] else run + 1
        if run > most:
            most = run
            first = group + 1 - run
    group = 0
    while group < 8:
        if group == first:
            if not group:
                text[at] = 58
                at += 1
            text[at] = 58
            at += 1
            group += most
            continue
        at += spell_group(text + at, groups[group])
        group += 1
    # A colon that ends it is of the run.
    return at if first + most == 8 else at - 1


cdef bint has_key(const Said *said, const uint8_t *text, uint32_t size) noexcept nogil:
    # Whether a key of the server stands in a text of at most MOST_TEXT bytes, in whatever case.
    cdef uint8_t lowered[MOST_TEXT]
    cdef uint32_t at
    for at in range(size):
        lowered[at] = lower(text[at])
    at = 0
    while at < said.keys_size:
        if memmem(lowered, size, said.keys + at + 1, said.keys[at]) != NULL:
            return True
        at += 1 + said.keys[at]
    return False


cdef inline uint32_t append(
    uint8_t *text, uint32_t at, const void *more, uint32_t size
) noexcept nogil:
    memcpy(text + at, more, size)
    return at + size


cdef uint32_t put_link(
    uint8_t *text, uint32_t at, Job *job, const WorldData *world, const uint8_t *client, uint32_t size
) noexcept nogil:
    # The caller has seen to room.
    at = append(text, at, <const char *>b" See ", 5)
    at = append(text, at, world.link, world.link_size)
    at = append(text, at, job.server.said.ref, job.server.said.ref_size)
    text[at] = 47
    return append(text, at + 1, client, size)


cdef bint write_text(
    Job *job, const WorldData *world, const Hit *hit, const uint8_t *client, uint32_t size
) noexcept nogil:
    # The TXT record; false when Python is to be asked.  The client is that of a name.
    cdef uint8_t address[CLIENT_ROOM]
    cdef const Said *said = job.server.said
    cdef const uint8_t *reason
    cdef uint8_t *record = job.answer + job.end
    cdef uint8_t *text = record + TEXT_AT
    cdef uint32_t at, whole
    if said == NULL:
        return False
    reason = world.texts[hit.text] if hit.texts == NULL else hit.texts + hit.text
    if not reason[0] and not reason[1] & ODD:
        reason = said.texts[hit.action]
    if job.version:
        client = address
        if job.version == 4:
            size = spell_octets(address, <uint32_t>job.address)
        else:
            size = spell_groups(address, job.address)
    whole = reason[0]
    if world.link_size:
        whole += (reason[1] & STOP) + 5 + world.link_size + said.ref_size + 1 + size
    if reason[1] & ODD or whole > MOST_TEXT:
        return False
    if job.end + TEXT_AT + whole + OPT_ROOM > ANSWER_ROOM:
        return False
    at = append(text, 0, reason + TEXT_HEAD, reason[0])
    if world.link_size:
        if reason[1] & STOP:
            text[at] = 46
            at += 1
        at = put_link(text, at, job, world, client, size)
    if has_key(said, text, at):
        return False
    begin(job, NOERROR, 1, 0)
    put_two(record, 0xC000 | HEADER)
    put_four(record + 2, <uint32_t>TYPE_TXT << 16 | 1)
    put_four(record + 6, job.server.ttl)
    put_two(record + 10, at + 1)
    record[12] = <uint8_t>at
    finish(job, job.end + TEXT_AT + at, world)
    return True
