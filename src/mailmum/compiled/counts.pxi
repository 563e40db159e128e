# Counts: how often each list of each server gave which verdict about which client.
#
# A table of fixed size for each service.  When there is no room for another client, its verdict is
# counted without it, by server, list and code; for these a part of the table is kept free.  So the
# sum is that of the answers, whatever the load.  `take` swaps the table for an empty one and reads
# it with nobody waiting.

cdef enum:
    COUNT_SLOTS = 1 << 18
    MOST_CLIENTS = 100_000
    MOST_COUNTS = 130_000
    MOST_PROBES = 64
    TEXT_ROOM = 4 << 20
    # Added to the verdict when a network or domain decided.
    WIDE = 4
    NOBODY = 255

cdef struct Count:
    # Version 0 is a name, whose text stands at `text`; a count of 0 is a free slot.
    uint64_t high
    uint64_t low
    int64_t server
    uint32_t count
    uint32_t text
    uint8_t list
    uint8_t code
    uint8_t version
    uint8_t text_size

cdef struct CountTable:
    Count *slots
    uint32_t *order
    uint8_t *texts
    uint32_t used
    uint32_t text_used
    uint64_t nameless
    uint64_t lost


cdef bint make_counts(CountTable *table) noexcept nogil:
    memset(table, 0, sizeof(CountTable))
    # Not in huge pages: where memory is short, whoever counts would wait until one has been found.
    table.slots = <Count *>calloc(COUNT_SLOTS, sizeof(Count))
    table.order = <uint32_t *>malloc(MOST_COUNTS * sizeof(uint32_t))
    table.texts = <uint8_t *>malloc(TEXT_ROOM)
    return table.slots != NULL and table.order != NULL and table.texts != NULL


cdef void free_counts(CountTable *table) noexcept nogil:
    free(table.slots)
    free(table.order)
    free(table.texts)


cdef inline uint64_t count_hash(
    int64_t server, int list_, uint64_t high, uint64_t low
) noexcept nogil:
    return mixed(mixed(low ^ <uint64_t>server << 40) ^ high ^ <uint64_t>list_)


cdef inline Count *find_count(CountTable *table, const Count *wanted, uint64_t hash) noexcept nogil:
    # The slot where it stands or can stand, or NULL when the search takes too long.
    cdef uint32_t at = <uint32_t>hash & (COUNT_SLOTS - 1)
    cdef Count *slot
    cdef int probe
    for probe in range(MOST_PROBES):
        slot = &table.slots[at]
        if not slot.count or (
            slot.low == wanted.low
            and slot.high == wanted.high
            and slot.server == wanted.server
            and slot.list == wanted.list
            and slot.code == wanted.code
            and slot.version == wanted.version
        ):
            return slot
        at = (at + 1) & (COUNT_SLOTS - 1)
    return NULL


cdef bint count_one(
    CountTable *table, const Count *wanted, uint64_t hash, uint32_t most, const uint8_t *text
) noexcept nogil:
    cdef Count *slot = find_count(table, wanted, hash)
    if slot == NULL:
        return False
    if not slot.count:
        if table.used >= most or table.text_used + wanted.text_size > TEXT_ROOM:
            return False
        slot[0] = wanted[0]
        slot.text = table.text_used
        if wanted.text_size:
            memcpy(table.texts + table.text_used, text, wanted.text_size)
            table.text_used += wanted.text_size
        table.order[table.used] = <uint32_t>(slot - table.slots)
        table.used += 1
    elif slot.count == <uint32_t>0xFFFFFFFF:
        return False
    slot.count += 1
    return True


cdef void count(
    CountTable *table, Count *wanted, uint64_t hash, const uint8_t *text
) noexcept nogil:
    # By client; else without; else lost.
    wanted.count = 0
    if count_one(table, wanted, hash, MOST_CLIENTS, text):
        return
    wanted.version = NOBODY
    wanted.text_size = 0
    wanted.high = wanted.code
    wanted.low = 0
    hash = count_hash(wanted.server, wanted.list, wanted.high, wanted.low)
    if count_one(table, wanted, hash, MOST_COUNTS, text):
        table.nameless += 1
    else:
        table.lost += 1


cdef tuple read_counts(CountTable *table, mark_of, nobody):
    # Counts by key, as `dns.counters` has them, how many are nameless or lost; an empty table again.
    cdef Count *slot
    cdef uint32_t at
    cdef int64_t server = -1
    cdef dict found = {}
    cdef list marks = [None] * 32
    above_v4 = 1 << 32
    for at in range(table.used):
        if at + 8 < table.used:
            prefetch(&table.slots[table.order[at + 8]])
        slot = &table.slots[table.order[at]]
        if slot.server != server:
            server, marks = slot.server, [None] * 32
        mark = marks[slot.list << 3 | slot.code]
        if mark is None:
            mark = marks[slot.list << 3 | slot.code] = mark_of(server, slot.list, slot.code)
        if slot.version == 4:
            key = mark + slot.low
        elif slot.version == 6:
            key = mark + (<object>slot.high << 64 | slot.low) + above_v4
        elif slot.version == NOBODY:
            key = mark + nobody
        else:
            key = (mark, table.texts[slot.text:slot.text + slot.text_size].decode("ascii"))
        found[key] = slot.count
        slot.count = 0
    sums = found, table.nameless, table.lost
    table.used = table.text_used = 0
    table.nameless = table.lost = 0
    return sums
