# Counts: how often each list of each server gave which verdict about which client.
#
# A table of fixed size for each service.  When there is no room for another client, its verdict is
# counted without it, by server, list and code; for these a part of the table is kept free.  So the
# sum is that of the answers, whatever the load.  `take` swaps the table for an empty one.  What is in
# it is copied by who first wants it, in small pieces with pauses between: that thread and the one that
# answers may have one core, and the scheduler would let it run for milliseconds while packets wait.
# Numbers of Python's are made of the copy.

cdef enum:
    COUNT_SLOTS = 1 << 18
    MOST_CLIENTS = 100_000
    MOST_COUNTS = 130_000
    MOST_PROBES = 64
    TEXT_ROOM = 4 << 20
    # So many are copied before a pause of so many nanoseconds.
    COPIED_AT_ONCE = 2048
    COPY_PAUSE = 200000
    # Added to the verdict when a network or domain decided.
    WIDE = 4
    # Beside 4, 6, and 0 for a name.
    NOBODY = 1

cdef struct Count:
    # Two to a line of the cache.  A count of 0 is a free slot; `text` is where the text of a name
    # stands, and in the last 8 bits its size.
    uint64_t high
    uint64_t low
    uint64_t mark
    uint32_t count
    uint32_t text

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
    # All of its memory is there from the begin, so that whoever counts never waits for it.
    table.slots = <Count *>room_for(COUNT_SLOTS * sizeof(Count))
    table.order = <uint32_t *>malloc(MOST_COUNTS * sizeof(uint32_t))
    table.texts = <uint8_t *>malloc(TEXT_ROOM)
    return table.slots != NULL and table.order != NULL and table.texts != NULL


cdef void free_counts(CountTable *table) noexcept nogil:
    free(table.slots)
    free(table.order)
    free(table.texts)


cdef inline uint64_t count_mark(int64_t server, int list_, int version) noexcept nogil:
    # What a client is counted under, but for the code in the last 3 bits; `Server` sees to it that
    # its number fits.
    return <uint64_t>server << 10 | <uint64_t>list_ << 6 | <uint64_t>version << 3


cdef inline uint64_t count_hash(uint64_t mark, uint64_t high, uint64_t low) noexcept nogil:
    return mixed(mixed(low ^ mark << 32) ^ high ^ mark)


cdef inline Count *find_count(CountTable *table, const Count *wanted, uint64_t hash) noexcept nogil:
    # The slot where it stands or can stand, or NULL when the search takes too long.
    cdef uint32_t at = <uint32_t>hash & (COUNT_SLOTS - 1)
    cdef Count *slot
    cdef int probe
    for probe in range(MOST_PROBES):
        slot = &table.slots[at]
        if not slot.count or (
            slot.low == wanted.low and slot.mark == wanted.mark and slot.high == wanted.high
        ):
            return slot
        at = (at + 1) & (COUNT_SLOTS - 1)
    return NULL


cdef bint count_one(
    CountTable *table, const Count *wanted, uint64_t hash, uint32_t most, const uint8_t *text
) noexcept nogil:
    # Of what is wanted the text is no more than a size, below 256.
    cdef Count *slot = find_count(table, wanted, hash)
    cdef uint32_t size
    if slot == NULL:
        return False
    if not slot.count:
        size = wanted.text
        if table.used >= most or table.text_used + size > TEXT_ROOM:
            return False
        slot[0] = wanted[0]
        slot.text = table.text_used << 8 | size
        if size:
            memcpy(table.texts + table.text_used, text, size)
            table.text_used += size
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
    wanted.mark = wanted.mark & ~<uint64_t>(7 << 3) | NOBODY << 3
    wanted.text = 0
    wanted.high = wanted.low = 0
    hash = count_hash(wanted.mark, 0, 0)
    if count_one(table, wanted, hash, MOST_COUNTS, text):
        table.nameless += 1
    else:
        table.lost += 1


cdef class Counted:
    """Counts of a stretch of time, packed; nobody changes them any more."""

    cdef Count *counts
    cdef uint8_t *texts
    cdef uint32_t size
    # The table that they are still in, or NULL, what keeps it there, and who copies them out of it.
    cdef CountTable *table
    cdef object keeper
    cdef pthread_mutex_t copying
    cdef int hurried

    def __cinit__(self):
        pthread_mutex_init(&self.copying, NULL)

    def __dealloc__(self):
        free(self.counts)
        free(self.texts)

    cdef int settle(self) except -1:
        # Copy them, from whichever thread, if that has not been done.
        cdef bint done
        with nogil:
            pthread_mutex_lock(&self.copying)
            done = self.table == NULL or move_counts(
                self.table, &self.counts, &self.texts, &self.hurried
            )
            if done:
                self.table = NULL
            pthread_mutex_unlock(&self.copying)
        if not done:
            raise MemoryError
        self.keeper = None
        return 0

    cdef int settle_soon(self) except -1:
        # The same without any more pauses.
        set_flag(&self.hurried)
        return self.settle()

    def __len__(self):
        return self.size

    def read(self, dict into not None, uint32_t start, uint32_t most, mark_of, nobody):
        """Put some of them into a table by key, as `dns.counters` has it; each is there once.

        Args:
            into: the table.
            start: how many to pass over.
            most: how many at most to put there; for so long other threads of Python wait.
            mark_of: the key of server, number of the list and code, but for the client.
            nobody: stands in a key for a client that found no room.
        """
        cdef Count *slot
        cdef uint32_t at, text, end
        cdef int64_t server = -1
        cdef int version, list_, code
        cdef list marks = [None] * 32
        above_v4 = 1 << 32
        self.settle()
        start = min(start, self.size)
        end = start + min(most, self.size - start)
        for at in range(start, end):
            slot = &self.counts[at]
            if <int64_t>(slot.mark >> 10) != server:
                server, marks = <int64_t>(slot.mark >> 10), [None] * 32
            list_, code, version = slot.mark >> 6 & 3, slot.mark & 7, slot.mark >> 3 & 7
            mark = marks[list_ << 3 | code]
            if mark is None:
                mark = marks[list_ << 3 | code] = mark_of(server, list_, code)
            if version == 4:
                key = mark + slot.low
            elif version == 6:
                key = mark + (<object>slot.high << 64 | slot.low) + above_v4
            elif version == NOBODY:
                key = mark + nobody
            else:
                text = slot.text >> 8
                key = (mark, self.texts[text:text + (slot.text & 255)].decode("ascii"))
            into[key] = slot.count


cdef bint move_counts(
    CountTable *table, Count **counts, uint8_t **texts, int *hurried
) noexcept nogil:
    # The table is empty again; false, and it stays as it is, when there is no memory.
    cdef Count *slot
    cdef uint32_t at
    cdef timespec pause
    memset(&pause, 0, sizeof(timespec))
    pause.tv_nsec = COPY_PAUSE
    counts[0] = <Count *>malloc(table.used * sizeof(Count) + 1)
    texts[0] = <uint8_t *>malloc(table.text_used + 1)
    if counts[0] == NULL or texts[0] == NULL:
        free(counts[0])
        free(texts[0])
        counts[0] = NULL
        texts[0] = NULL
        return False
    for at in range(table.used):
        if at and not at % COPIED_AT_ONCE and not get_flag(hurried):
            nanosleep(&pause, NULL)
        if at + 8 < table.used:
            prefetch(&table.slots[table.order[at + 8]])
        slot = &table.slots[table.order[at]]
        counts[0][at] = slot[0]
        slot.count = 0
    memcpy(texts[0], table.texts, table.text_used)
    table.used = table.text_used = 0
    table.nameless = table.lost = 0
    return True


cdef tuple take_counts(CountTable *table, object keeper):
    # Counts, how many of it are nameless or lost.  Nobody counts into the table until they have been
    # settled, and whoever has it keeps it so long.
    cdef Counted found = Counted.__new__(Counted)
    found.table = table
    found.keeper = keeper
    found.size = table.used
    return found, table.nameless, table.lost
