# Tables and servers: which listing decides about an address or a name, as the index has it.

cdef struct TableData:
    # `levels` has a bit for each number of open bits at which something lies in the overlay.
    uint32_t number
    int bits
    Rows hosts
    Rows networks
    const Terms *terms
    const uint8_t *texts
    uint64_t levels[3]

cdef enum:
    # So many tables of one tier there is room for; the same number stands in `index.mirror`.
    MOST_TABLES = 8
    # More keys of a server than this are not looked for in a text; `index.wording` has it too.
    MOST_KEY_BYTES = 1024

cdef struct Stage:
    # The tables of one tier: the server's own, then the account's; then NULL, or 0.
    const TableData *tables[MOST_TABLES]

cdef struct NameStage:
    uint32_t tables[MOST_TABLES]

cdef struct Said:
    # What TXT records of one server say beside reason and client: how links name it, and a text
    # where a block or an allow has no reason; never its keys, each here behind its size.
    const uint8_t *ref
    uint32_t ref_size
    const uint8_t *keys
    uint32_t keys_size
    const uint8_t *texts[2]

cdef struct ServerData:
    # Nothing is listed from `ends` on; nothing is blocked before `blocks_from`.  Python is asked from
    # `until` on, for whoever is in none of `askers`, if there are any, and always about the sorts of
    # tables (IPv4, IPv6, names) that `asks` marks; about texts where `said` is NULL.
    int64_t number
    uint32_t ttl
    uint32_t code
    double ends
    double until
    double blocks_from
    const Said *said
    Range *askers
    uint32_t asker_count
    bint asks[3]
    Stage v4[3]
    Stage v6[3]
    NameStage names[3]

cdef struct Hit:
    # The state is NOTHING, FOUND or ASK; the other fields are of what was found.  The reason is at
    # `text` of `texts`, or where there are none, the world's with that number.
    int state
    int specificity
    bint single
    uint8_t action
    uint8_t source
    uint32_t code
    uint32_t text
    const uint8_t *texts
    int64_t ends


cdef uint32_t last_table = 0


cdef class Table:
    """A table of addresses (32 or 128 bits), or with 0 bits of names."""

    cdef TableData data
    cdef Base base

    def __cinit__(self, int bits):
        global last_table
        if bits not in (0, 32, 128):
            raise ValueError("an address has 32 or 128 bits")
        last_table += 1
        self.data.number = last_table
        self.data.bits = bits

    @property
    def number(self):
        """What entries of this table are marked with."""
        return self.data.number


cdef class Server:
    """What is known of one server; until `World.change` gives it tables it lists nothing."""

    cdef ServerData data
    cdef Said said
    cdef tuple tables
    cdef tuple kept

    def __cinit__(
        self,
        int64_t number,
        uint32_t ttl,
        uint32_t code,
        double ends,
        double until,
        double blocks_from,
        list askers not None=[],
        tuple said=None,
    ):
        if not 0 <= number < <int64_t>1 << 53:
            raise ValueError("the number of a server is out of range")
        self.data.number = number
        self.data.ttl = min(ttl, <uint32_t>0x7FFFFFFF)
        self.data.code = code
        self.data.ends = ends
        self.data.until = until
        self.data.blocks_from = blocks_from
        if askers:
            read_ranges(askers, &self.data.askers)
            self.data.asker_count = len(askers)
        if said is not None:
            ref, keys, block, allow = said
            self._take_said(ref, keys, block, allow)
            self.kept = said
            self.data.said = &self.said

    cdef int _take_said(self, bytes ref, bytes keys, bytes block, bytes allow) except -1:
        # How links name it, its keys, and two texts; the caller keeps them.
        cdef uint32_t at = 0
        if ref is None or keys is None or block is None or allow is None:
            raise ValueError("a part of what is said is not there")
        if len(keys) > MOST_KEY_BYTES:
            raise ValueError("a server has too many keys")
        self.said.ref = ref
        self.said.ref_size = <uint32_t>min(len(ref), 256)
        self.said.keys = keys
        self.said.keys_size = <uint32_t>len(keys)
        while at < self.said.keys_size:
            at += 1 + self.said.keys[at]
        if at != self.said.keys_size:
            raise ValueError("a key is cut off")
        self.said.texts[0] = block
        self.said.texts[1] = allow
        if not is_text(block, <uint64_t>len(block), 0) or not is_text(allow, <uint64_t>len(allow), 0):
            raise ValueError("a text is cut off")
        return 0

    def __dealloc__(self):
        free(self.data.askers)


cdef inline bint is_replaced(
    const Places *places, const TableData *table, int shift, u128 address
) noexcept nogil:
    cdef u128 number
    if not table.levels[shift >> 6] >> (shift & 63) & 1:
        return False
    number = shifted(address, shift)
    return find_place(
        places, table.number, <uint8_t>shift, <uint64_t>(number >> 64), <uint64_t>number
    ) != NULL


cdef inline u128 shifted(u128 address, int bits) noexcept nogil:
    # C leaves it open what a shift by all bits gives.
    return 0 if bits >= 128 else address >> bits


cdef inline void take_row(
    Hit *hit, const TableData *table, const Rows *rows, int64_t row, int specificity
) noexcept nogil:
    cdef const Terms *said = &table.terms[kind_of(rows, row)]
    hit.state = FOUND
    hit.specificity = specificity
    hit.single = rows.shifts == NULL
    hit.action = said.action
    hit.source = said.source
    hit.code = said.code
    hit.text = said.text
    hit.texts = table.texts
    hit.ends = NEVER if rows.ends == NULL else rows.ends[row]


cdef inline void take_entry(
    Hit *hit, const Entry *entry, int specificity, bint single
) noexcept nogil:
    hit.state = FOUND
    hit.specificity = specificity
    hit.single = single
    hit.action = entry.action
    hit.source = entry.source
    hit.code = entry.code
    hit.text = entry.text
    hit.texts = NULL
    hit.ends = entry.ends


cdef void find_row(
    Hit *hit, const Places *places, const TableData *table, u128 address, double now
) noexcept nogil:
    # What the rows say, but for targets that have changed since.
    cdef const Rows *rows = &table.hosts
    cdef int64_t row = locate(rows, address)
    cdef int steps = 0
    while row >= 0 and first_of(rows, row) == address:
        if in_force(rows, row, now):
            if not is_replaced(places, table, 0, address):
                take_row(hit, table, rows, row, table.bits)
                return
            break
        row -= 1
        steps += 1
        if steps == MOST_STEPS:
            hit.state = ASK
            return
    rows = &table.networks
    row = locate(rows, address)
    while row >= 0:
        if (
            not shifted(address ^ first_of(rows, row), rows.shifts[row])
            and in_force(rows, row, now)
            and not is_replaced(places, table, rows.shifts[row], address)
        ):
            take_row(hit, table, rows, row, table.bits - rows.shifts[row])
            return
        row = rows.parents[row]
        steps += 1
        if steps == MOST_STEPS:
            hit.state = ASK
            return


cdef void find_address(
    Hit *hit, const Places *places, const TableData *table, u128 address, double now
) noexcept nogil:
    # What one table says: of rows and overlay the narrowest in force.
    cdef const Entry *entry
    cdef uint64_t levels
    cdef u128 number
    cdef int word, shift
    hit.state = NOTHING
    find_row(hit, places, table, address, now)
    for word in range(3):
        levels = table.levels[word]
        while levels:
            shift = word * 64 + lowest_bit(levels)
            levels &= levels - 1
            if hit.state == ASK or (
                hit.state == FOUND and hit.specificity > table.bits - shift
            ):
                return
            number = shifted(address, shift)
            entry = find_place(
                places, table.number, <uint8_t>shift, <uint64_t>(number >> 64), <uint64_t>number
            )
            if entry == NULL or entry.state == NOTHING:
                continue
            if entry.state == ASK:
                hit.state = ASK
                return
            if now < <double>entry.ends:
                take_entry(hit, entry, table.bits - shift, shift == 0)
                return


cdef void decide_address(
    Hit *best, const Places *places, const ServerData *server, int version, u128 address, double now
) noexcept nogil:
    # Of the first tier that covers the address, the most specific; when equal the server's own.
    cdef const TableData *table
    cdef Hit hit
    cdef int at, which
    memset(&hit, 0, sizeof(Hit))
    best.state = NOTHING
    # About the machine itself there is never a verdict.
    if now >= server.ends or (version == 4 and <uint32_t>address >> 24 == 127):
        return
    if server.asks[0 if version == 4 else 1]:
        best.state = ASK
        return
    for at in range(3):
        for which in range(MOST_TABLES):
            table = server.v4[at].tables[which] if version == 4 else server.v6[at].tables[which]
            if table == NULL:
                break
            find_address(&hit, places, table, address, now)
            if hit.state == ASK:
                best.state = ASK
                return
            if hit.state == FOUND and (
                best.state == NOTHING or hit.specificity > best.specificity
            ):
                best[0] = hit
        if best.state == FOUND:
            return


cdef enum:
    MOST_LABELS = 128

cdef struct Name:
    # The numbers of the whole name and of those above it, most labels first.
    int count
    uint64_t numbers[MOST_LABELS][2]


cdef inline bint take_name(
    Hit *hit, const Places *places, uint32_t table, const Name *name, int at, int level, double now
) noexcept nogil:
    cdef const Entry *entry = find_place(
        places, table, <uint8_t>level, name.numbers[at][0], name.numbers[at][1]
    )
    if entry == NULL or entry.state == NOTHING:
        return False
    if entry.state == ASK:
        hit.state = ASK
        return True
    if now >= <double>entry.ends:
        return False
    take_entry(hit, entry, 2 * (name.count - at) + (level == HOST), level == HOST)
    return True


cdef void find_name(
    Hit *hit, const Places *places, uint32_t table, const Name *name, double now
) noexcept nogil:
    cdef int at
    hit.state = NOTHING
    if take_name(hit, places, table, name, 0, HOST, now):
        return
    for at in range(name.count):
        if take_name(hit, places, table, name, at, DOMAIN, now):
            return


cdef void decide_name(
    Hit *best, const Places *places, const ServerData *server, const Name *name, double now
) noexcept nogil:
    cdef Hit hit
    cdef int at, which
    cdef uint32_t table
    memset(&hit, 0, sizeof(Hit))
    best.state = NOTHING
    if now >= server.ends:
        return
    if server.asks[2]:
        best.state = ASK
        return
    for at in range(3):
        for which in range(MOST_TABLES):
            table = server.names[at].tables[which]
            if not table:
                break
            find_name(&hit, places, table, name, now)
            if hit.state == ASK:
                best.state = ASK
                return
            if hit.state == FOUND and (
                best.state == NOTHING or hit.specificity > best.specificity
            ):
                best[0] = hit
        if best.state == FOUND:
            return


cdef bint has_names_below(
    const Places *places, const ServerData *server, const Name *name, int level
) noexcept nogil:
    # Whether listings lie below the name; whether they are in force, Python knows.
    cdef int at, which
    cdef uint32_t table
    for at in range(3):
        for which in range(MOST_TABLES):
            table = server.names[at].tables[which]
            if not table:
                break
            if find_place(
                places, table, <uint8_t>level, name.numbers[0][0], name.numbers[0][1]
            ) != NULL:
                return True
    return False
