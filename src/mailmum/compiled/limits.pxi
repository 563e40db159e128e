# Limits: what one network gets over UDP while nothing proves that it asked; see `dns.limits`.
#
# Tables of fixed size that all threads share, without locks: each entry is one word of 64 bits, read
# and swapped as a whole.  A network has eight places.  When all are taken it gets that of the network
# whose bucket will be empty first: then that network gets more than its share, never less.

cdef extern from *:
    """
    #define mm_load(at) __atomic_load_n(at, __ATOMIC_RELAXED)
    #define mm_store(at, value) __atomic_store_n(at, value, __ATOMIC_RELAXED)
    #define mm_swap(at, old, new) \
        __atomic_compare_exchange_n(at, old, new, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
    """
    uint64_t load_word "mm_load"(const uint64_t *) noexcept nogil
    void store_word "mm_store"(uint64_t *, uint64_t) noexcept nogil
    bint swap_word "mm_swap"(uint64_t *, uint64_t *, uint64_t) noexcept nogil

cdef enum:
    WAYS = 8
    BUCKET_SETS = 1 << 13
    KNOWN_SETS = 1 << 11
    TICK_BITS = 40
    MOST_TRIES = 4
    MOST_RANGES = 1000
    PASS = 0
    SLIP = 1
    DROP = 2

cdef uint64_t TICKS = (<uint64_t>1 << 40) - 1
# As in `dns.limits`: microseconds of a burst, seconds for which somebody is known.
cdef uint64_t WINDOW = 2000000
cdef uint64_t KNOWN_FOR = 86400

cdef struct Range:
    int version
    u128 first
    u128 last

cdef struct Limits:
    uint64_t cost
    uint64_t slip
    uint64_t beyond
    uint64_t seed[2]
    # Each word is 24 bits of a network's hash, and when its bucket will be empty.
    uint64_t *buckets
    # Each word is 32 bits of an address' hash, and the second until which it is known.
    uint64_t *known
    Range *spared
    uint32_t spared_count


cdef inline bint in_ranges(
    const Range *ranges, uint32_t count, int version, const uint64_t *sender
) noexcept nogil:
    cdef u128 value = address_of(version, sender)
    cdef uint32_t at
    for at in range(count):
        if ranges[at].version == version and ranges[at].first <= value <= ranges[at].last:
            return True
    return False


cdef inline u128 address_of(int version, const uint64_t *sender) noexcept nogil:
    # Its bytes stand in the words as the network has them.
    cdef const uint8_t *bytes = <const uint8_t *>sender
    cdef u128 value = 0
    cdef int at
    for at in range(4 if version == 4 else 16):
        value = value << 8 | bytes[at]
    return value


cdef inline uint64_t network_hash(
    const Limits *limits, int version, const uint64_t *sender
) noexcept nogil:
    # The first 24 bits of IPv4, 56 of IPv6; never one whose mark would be that of a free place.
    cdef uint64_t word = 0
    memcpy(&word, sender, 3 if version == 4 else 7)
    word |= <uint64_t>version << 56
    return mixed(mixed(word ^ limits.seed[0]) ^ limits.seed[1]) | <uint64_t>1 << TICK_BITS


cdef inline uint64_t sender_hash(const Limits *limits, const uint64_t *sender) noexcept nogil:
    return mixed(mixed(sender[0] ^ limits.seed[1]) ^ sender[1] ^ limits.seed[0])


cdef inline uint64_t *bucket_set(Limits *limits, uint64_t hash) noexcept nogil:
    return &limits.buckets[(hash & (BUCKET_SETS - 1)) * WAYS]


cdef bint has_room(Limits *limits, uint64_t hash, double now) noexcept nogil:
    # Whether a response still goes into the bucket of a network, which then is the fuller for it.
    cdef uint64_t *ways = bucket_set(limits, hash)
    cdef uint64_t mark = hash >> TICK_BITS, ticks = <uint64_t>(now * 1e6) & TICKS
    cdef uint64_t word, ahead, least, found
    cdef int at, chosen, turn
    for turn in range(MOST_TRIES):
        chosen, least, found = 0, TICKS, 0
        for at in range(WAYS):
            word = load_word(&ways[at])
            ahead = (word - ticks) & TICKS
            # Of another time: the clock has jumped, or it has been empty for long.
            if ahead > WINDOW + limits.cost:
                ahead = 0
            if word >> TICK_BITS == mark:
                chosen, least, found = at, ahead, word
                break
            if ahead < least:
                chosen, least, found = at, ahead, word
        if found >> TICK_BITS != mark:
            least = 0
        if least > WINDOW:
            return False
        word = mark << TICK_BITS | ((ticks + least + limits.cost) & TICKS)
        if swap_word(&ways[chosen], &found, word):
            return True
    # Others are at it; that is no reason to keep a response back.
    return True


cdef bint is_known(const Limits *limits, const uint64_t *sender, double now) noexcept nogil:
    cdef uint64_t hash = sender_hash(limits, sender), word
    cdef const uint64_t *ways = &limits.known[(hash & (KNOWN_SETS - 1)) * WAYS]
    cdef int at
    for at in range(WAYS):
        word = load_word(&ways[at])
        if word >> 32 == hash >> 32:
            return <double><uint32_t>word > now
    return False


cdef void make_known(Limits *limits, const uint64_t *sender, double now) noexcept nogil:
    # In its own place, else in that of who is forgotten first.
    cdef uint64_t hash = sender_hash(limits, sender), word, least = ~<uint64_t>0
    cdef uint64_t *ways = &limits.known[(hash & (KNOWN_SETS - 1)) * WAYS]
    cdef int at, chosen = 0
    for at in range(WAYS):
        word = load_word(&ways[at])
        if word >> 32 == hash >> 32:
            chosen = at
            break
        if <uint32_t>word < least:
            chosen, least = at, <uint32_t>word
    word = (hash >> 32) << 32 | <uint32_t>(<uint64_t>now + KNOWN_FOR)
    store_word(&ways[chosen], word)


cdef int limit(
    Limits *limits, int version, const uint64_t *sender, uint64_t hash, double now
) noexcept nogil:
    # PASS, SLIP or DROP for one response.
    if has_room(limits, hash, now) or is_known(limits, sender, now):
        return PASS
    if in_ranges(limits.spared, limits.spared_count, version, sender):
        return PASS
    if limits.slip and (add_one(&limits.beyond) + 1) % limits.slip == 0:
        return SLIP
    return DROP


cdef int read_ranges(list given, Range **ranges) except -1:
    # Versions, first and last addresses, checked, in room of their own.
    cdef Range *made
    if len(given) > MOST_RANGES:
        raise ValueError(f"there can be {MOST_RANGES} networks")
    made = <Range *>_room(len(given) * sizeof(Range))
    try:
        for at, (version, first, last) in enumerate(given):
            if version not in (4, 6) or not 0 <= first <= last or last >> _BITS[version]:
                raise ValueError("a network is none")
            made[at].version = version
            made[at].first = <u128><uint64_t>(first >> 64) << 64 | <uint64_t>(first & _LOW)
            made[at].last = <u128><uint64_t>(last >> 64) << 64 | <uint64_t>(last & _LOW)
    except BaseException:
        free(made)
        raise
    ranges[0] = made
    return 0


_LOW = 0xFFFFFFFFFFFFFFFF
_BITS = {4: 32, 6: 128}


cdef class Limiter:
    """Limits responses over UDP; of threads, and of the Python engine too.

    Args:
        rate: responses a second to one network.
        slip: every so many-th response beyond that is sent cut off; 0 for none.
        spared: networks that no limit holds for: version, first and last address.
        secret: 16 random bytes.
    """

    cdef Limits data

    def __cinit__(self, uint64_t rate, uint64_t slip, list spared not None, bytes secret not None):
        if not rate or len(secret) != 16:
            raise ValueError("a limit is at least 1, its secret has 16 bytes")
        self.data.cost = max(1000000 // rate, 1)
        self.data.slip = slip
        memcpy(self.data.seed, <const uint8_t *>secret, 16)
        self.data.buckets = <uint64_t *>room_for(BUCKET_SETS * WAYS * sizeof(uint64_t))
        self.data.known = <uint64_t *>room_for(KNOWN_SETS * WAYS * sizeof(uint64_t))
        if self.data.buckets == NULL or self.data.known == NULL:
            raise MemoryError
        read_ranges(spared, &self.data.spared)
        self.data.spared_count = len(spared)

    def __dealloc__(self):
        free(self.data.buckets)
        free(self.data.known)
        free(self.data.spared)

    def check(self, bytes sender not None, double now):
        """0 when a response may be sent to a packed address, 1 cut off, 2 not at all."""
        cdef uint64_t words[2]
        cdef int version = read_packed(sender, words)
        if not version:
            return PASS
        return limit(&self.data, version, words, network_hash(&self.data, version, words), now)

    def know(self, bytes sender not None, double now):
        """A packed address has proved to be that of a resolver of an account."""
        cdef uint64_t words[2]
        if read_packed(sender, words):
            make_known(&self.data, words, now)


cdef int read_packed(bytes sender, uint64_t *words) except -1:
    # Its version; 0 for what is no address.
    cdef Py_ssize_t size = len(sender)
    words[0] = words[1] = 0
    if size not in (4, 16):
        return 0
    memcpy(words, <const uint8_t *>sender, size)
    return 4 if size == 4 else 6
