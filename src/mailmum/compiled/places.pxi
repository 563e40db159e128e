# Places: a hash table from a target within a table to what is listed there now.
#
# Two sorts of things lie here.  Targets of addresses that have changed since their table was merged
# (the overlay): level is how many bits the target leaves open, the number is the address without
# them.  And names: the number is a hash of 128 bits with a secret key, so that the name need not be
# kept, nor compared; two names of one number are as likely as a guessed key.
#
# Open addressing with linear probing, at most half full, so every search ends at a free slot.

cdef enum:
    # A state beside NOTHING, FOUND and ASK; NOTHING says that no listing is left at this place.
    FREE = 255
    HOST = 0
    DOMAIN = 1
    BELOW_BLOCK = 2
    BELOW_ALLOW = 3

cdef struct Entry:
    uint64_t high
    uint64_t low
    int64_t ends
    uint32_t table
    uint32_t code
    uint8_t level
    uint8_t state
    uint8_t action
    uint8_t source
    # Number of the reason in the world's texts, 0 for none.
    uint32_t text

cdef struct Places:
    Entry *slots
    uint64_t mask
    uint64_t used
    uint64_t seed[2]


cdef inline uint64_t mixed(uint64_t value) noexcept nogil:
    value ^= value >> 32
    value *= <uint64_t>0xD6E8FEB86659FD93
    value ^= value >> 32
    value *= <uint64_t>0xD6E8FEB86659FD93
    return value ^ (value >> 32)


cdef inline uint64_t slot_of(
    const Places *places, uint32_t table, uint8_t level, uint64_t high, uint64_t low
) noexcept nogil:
    cdef uint64_t hash = mixed(high ^ places.seed[0])
    hash = mixed(hash ^ low ^ places.seed[1])
    return mixed(hash ^ table ^ <uint64_t>level << 32) & places.mask


cdef inline Entry *find_place(
    const Places *places, uint32_t table, uint8_t level, uint64_t high, uint64_t low
) noexcept nogil:
    cdef uint64_t at = slot_of(places, table, level, high, low)
    cdef Entry *entry = &places.slots[at]
    while entry.table:
        if (
            entry.low == low
            and entry.high == high
            and entry.table == table
            and entry.level == level
        ):
            return entry
        at = (at + 1) & places.mask
        entry = &places.slots[at]
    return NULL


cdef void put_place(Places *places, const Entry *new) noexcept nogil:
    # The caller has seen to room.
    cdef Entry *entry = find_place(places, new.table, new.level, new.high, new.low)
    cdef uint64_t at
    if entry == NULL:
        at = slot_of(places, new.table, new.level, new.high, new.low)
        while places.slots[at].table:
            at = (at + 1) & places.mask
        entry = &places.slots[at]
        places.used += 1
    entry[0] = new[0]


cdef void drop_place(
    Places *places, uint32_t table, uint8_t level, uint64_t high, uint64_t low
) noexcept nogil:
    # What was pushed beyond the slot that gets free moves up, so that no search ends too early.
    cdef Entry *entry = find_place(places, table, level, high, low)
    cdef Entry *other
    cdef uint64_t hole, at, home
    if entry == NULL:
        return
    hole = entry - places.slots
    at = hole
    while True:
        at = (at + 1) & places.mask
        other = &places.slots[at]
        if not other.table:
            break
        home = slot_of(places, other.table, other.level, other.high, other.low)
        if ((at - home) & places.mask) >= ((at - hole) & places.mask):
            places.slots[hole] = other[0]
            hole = at
    memset(&places.slots[hole], 0, sizeof(Entry))
    places.used -= 1


cdef bint make_places(Places *places, const Places *old, uint64_t room) noexcept nogil:
    # A copy of the old ones with room for so many; false when there is no memory.
    cdef uint64_t size = 64, at
    while size < 2 * room:
        size *= 2
    places.slots = <Entry *>room_for(size * sizeof(Entry))
    if places.slots == NULL:
        return False
    places.mask = size - 1
    places.used = 0
    places.seed[0] = old.seed[0]
    places.seed[1] = old.seed[1]
    if old.slots != NULL:
        for at in range(old.mask + 1):
            if old.slots[at].table:
                put_place(places, &old.slots[at])
    return True


# --- names as numbers: SipHash-2-4 with 128 bits, chained from the last label to the first ---------

cdef inline uint64_t rolled(uint64_t value, int bits) noexcept nogil:
    return value << bits | value >> (64 - bits)


cdef inline void sip_round(uint64_t *v) noexcept nogil:
    v[0] += v[1]
    v[1] = rolled(v[1], 13) ^ v[0]
    v[0] = rolled(v[0], 32)
    v[2] += v[3]
    v[3] = rolled(v[3], 16) ^ v[2]
    v[0] += v[3]
    v[3] = rolled(v[3], 21) ^ v[0]
    v[2] += v[1]
    v[1] = rolled(v[1], 17) ^ v[2]
    v[2] = rolled(v[2], 32)


cdef void add_label(uint64_t *number, const uint8_t *label, uint32_t size) noexcept nogil:
    # The number of all labels behind this one is the key; so each name's is a function of all of
    # its labels and of the secret that the chain begins with.
    cdef uint64_t v[4]
    cdef uint64_t word
    cdef uint32_t at = 0, left
    v[0] = number[0] ^ <uint64_t>0x736F6D6570736575
    v[1] = number[1] ^ <uint64_t>0x646F72616E646F83
    v[2] = number[0] ^ <uint64_t>0x6C7967656E657261
    v[3] = number[1] ^ <uint64_t>0x7465646279746573
    while True:
        left = size - at
        word = 0
        if left >= 8:
            memcpy(&word, label + at, 8)
        else:
            memcpy(&word, label + at, left)
            word |= <uint64_t>size << 56
        v[3] ^= word
        sip_round(v)
        sip_round(v)
        v[0] ^= word
        if left < 8:
            break
        at += 8
    v[2] ^= 0xEE
    sip_round(v)
    sip_round(v)
    sip_round(v)
    sip_round(v)
    number[0] = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xDD
    sip_round(v)
    sip_round(v)
    sip_round(v)
    sip_round(v)
    number[1] = v[0] ^ v[1] ^ v[2] ^ v[3]
