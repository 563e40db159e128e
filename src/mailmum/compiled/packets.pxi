# Packets: reading the plain ones, and writing their answers.
#
# What is read here is read as `dns.wire` does, only that whatever is not plain is left to it; what is
# written is what `dns.quick`, `dns.entries` and `dns.zones` write.

cdef enum:
    HEADER = 12
    TYPE_A = 1
    TYPE_TXT = 16
    TYPE_AAAA = 28
    OPT_TYPE = 41
    COOKIE = 10
    TEST_ADDRESS = 0x7F000002
    ANSWER_ROOM = 512
    # An OPT record with a cookie.
    OPT_ROOM = 11 + 4 + COOKIE_SIZE
    KIND_BL = 0
    KIND_WL = 1
    KIND_DBL = 2
    KIND_DWL = 3

cdef struct Job:
    # A packet on its way.  ASK as state is for Python, FOUND for an answer of `answer_size`.
    int state
    const uint8_t *packet
    uint32_t size
    uint8_t *answer
    uint32_t answer_size
    # Of the question: its end, its type, where key and BASE begin, labels before the key.
    uint32_t end
    uint32_t type
    uint32_t zone_at
    uint32_t base_at
    int labels
    # 0 without OPT, 1 with, 3 with DO; the cookie in it, or NULL.
    int opt
    const uint8_t *cookie
    # The sender, as the kernel tells it.
    const uint8_t *name
    uint32_t name_size
    # Which list, and what address; version 0 for a name.
    int kind
    int version
    u128 address
    # The key, and what it hashes to; the server, once known.
    uint64_t hash
    uint32_t key_size
    uint8_t key[KEY_ROOM]
    const ServerData *server
    uint64_t count_hash
    # The sender's address, its version or 0, and what its network hashes to.
    uint64_t sender[2]
    int sender_version
    uint64_t limit_hash
    # Where the first table is to be searched.
    const TableData *table
    uint32_t low


cdef inline uint8_t lower(uint8_t byte) noexcept nogil:
    return byte | 0x20 if 65 <= byte <= 90 else byte


cdef inline uint32_t two_bytes(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 8 | at[1]


cdef inline void put_two(uint8_t *at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 8)
    at[1] = <uint8_t>value


cdef inline void put_four(uint8_t *at, uint32_t value) noexcept nogil:
    put_two(at, value >> 16)
    put_two(at + 2, value)


# --- reading --------------------------------------------------------------------------------------

cdef bint read_options(Job *job, const uint8_t *options, uint32_t size) noexcept nogil:
    # Whether they are well-formed, with at most one cookie, of the size that a good one has.
    cdef uint32_t at = 0, length
    while at < size:
        if size - at < 4:
            return False
        length = two_bytes(options + at + 2)
        if length > size - at - 4:
            return False
        if two_bytes(options + at) == COOKIE:
            if job.cookie != NULL or length != COOKIE_SIZE:
                return False
            job.cookie = options + at + 4
        at += 4 + length
    return True


cdef bint read_opt(Job *job) noexcept nogil:
    # What follows the question: nothing, or one OPT record of version 0 that ends the packet.
    cdef const uint8_t *opt = job.packet + job.end
    cdef uint32_t left = job.size - job.end
    job.opt = 0
    job.cookie = NULL
    if not job.packet[11]:
        return left == 0
    if left < 11 or opt[0] or two_bytes(opt + 1) != OPT_TYPE or opt[6]:
        return False
    if two_bytes(opt + 9) != left - 11 or not read_options(job, opt + 11, left - 11):
        return False
    job.opt = 3 if opt[7] & 0x80 else 1
    return True


cdef int read_kind(const uint8_t *label) noexcept nogil:
    # Which list a label names, -1 for none; the label has been checked to lie in the packet.
    cdef int kind = 0
    if label[0] == 3 and lower(label[1]) == 100:  # d
        kind = KIND_DBL
        label += 1
    elif label[0] != 2:
        return -1
    if lower(label[2]) != 108:  # l
        return -1
    if lower(label[1]) == 98:  # b
        return kind
    return kind + 1 if lower(label[1]) == 119 else -1  # w


cdef bint read_name(Job *job, const WorldData *world) noexcept nogil:
    # The question: labels, KEY, list, BASE.
    cdef uint16_t offsets[MOST_LABELS]
    cdef const uint8_t *packet = job.packet
    cdef uint32_t at = HEADER, length, size
    cdef int count = 0, before
    while True:
        if at >= job.size:
            return False
        length = packet[at]
        if length == 0:
            break
        if length > 63 or count == MOST_LABELS:
            return False
        offsets[count] = <uint16_t>at
        count += 1
        at += 1 + length
    at += 1
    if at - HEADER > 255 or job.size - at < 4 or at > job.size:
        return False
    job.type = two_bytes(packet + at)
    if two_bytes(packet + at + 2) != 1:
        return False
    job.end = at + 4
    before = count - <int>world.base_labels
    if before < 3:
        return False
    job.base_at = offsets[before]
    if at - job.base_at != world.base_size:
        return False
    for length in range(world.base_size):
        if lower(packet[job.base_at + length]) != world.base[length]:
            return False
    job.kind = read_kind(packet + offsets[before - 1])
    job.zone_at = offsets[before - 2]
    size = packet[job.zone_at]
    if job.kind < 0 or size >= KEY_ROOM:
        return False
    memset(job.key, 0, KEY_ROOM)
    for length in range(size):
        job.key[length] = lower(packet[job.zone_at + 1 + length])
    job.key_size = size
    job.labels = before - 2
    return True


cdef bint read_octets(Job *job) noexcept nogil:
    # Four labels of an IPv4 address; single digits may be IPv6, and the test entry has its own rules.
    cdef const uint8_t *label = job.packet + HEADER
    cdef uint32_t value, address = 0
    cdef int at, digit
    if job.zone_at == HEADER + 8:
        return False
    for at in range(4):
        if label[0] > 3 or (label[0] > 1 and label[1] == 48):
            return False
        value = 0
        for digit in range(1, label[0] + 1):
            if not 48 <= label[digit] <= 57:
                return False
            value = value * 10 + label[digit] - 48
        if value > 255:
            return False
        address |= value << 8 * at
        label += 1 + label[0]
    job.version = 4
    job.address = address
    return address != TEST_ADDRESS


cdef bint read_nibbles(Job *job) noexcept nogil:
    # 32 labels of an IPv6 address; those that may be loopback or IPv4 are left out.
    cdef const uint8_t *label = job.packet + HEADER
    cdef uint64_t halves[2]
    cdef uint8_t digit
    cdef int at
    halves[0] = halves[1] = 0
    for at in range(32):
        digit = lower(label[1])
        if label[0] != 1:
            return False
        if 48 <= digit <= 57:
            digit -= 48
        elif 97 <= digit <= 102:
            digit -= 87
        else:
            return False
        halves[at >> 4] |= <uint64_t>digit << 4 * (at & 15)
        label += 2
    job.version = 6
    job.address = <u128>halves[1] << 64 | halves[0]
    return halves[1] != 0


cdef bint read(Job *job, const WorldData *world) noexcept nogil:
    # Whether this is a plain packet: one question about a client in a list, OPT at most beside it.
    cdef const uint8_t *packet = job.packet
    if job.size < HEADER + 5 or packet[2] & 0xF8 or packet[4] or packet[5] != 1:
        return False
    if packet[6] | packet[7] | packet[8] | packet[9] | packet[10] or packet[11] > 1:
        return False
    if not read_name(job, world) or not read_opt(job):
        return False
    if job.type != TYPE_A and job.type != TYPE_TXT and job.type != TYPE_AAAA:
        return False
    if job.kind >= KIND_DBL:
        job.version = 0
    elif job.labels == 4:
        if not read_octets(job):
            return False
    elif job.labels != 32 or not read_nibbles(job):
        return False
    job.hash = key_hash(job.key, job.key_size, world.places.seed[0])
    return True


cdef bint is_plain_label(uint8_t *label, uint32_t size) noexcept nogil:
    # Turned to lower case; whether it has only what labels of names have.
    cdef uint32_t at
    cdef uint8_t byte
    for at in range(size):
        byte = label[at] = lower(label[at])
        if not (97 <= byte <= 122 or 48 <= byte <= 57 or byte == 45 or byte == 95):
            return False
    return True


cdef bint read_client_name(
    Job *job, const uint64_t *chain, uint8_t *text, uint32_t *text_size, Name *name
) noexcept nogil:
    # The labels before the key: as text with dots, and as numbers from the last label to the first.
    # Test entries, what is below `localhost` and odd bytes are for Python.
    cdef uint32_t size = job.zone_at - HEADER, at = 0
    cdef uint64_t number[2]
    cdef uint32_t starts[MOST_LABELS]
    cdef uint32_t length = 0
    cdef int label
    memcpy(text, job.packet + HEADER, size)
    for label in range(job.labels):
        length = text[at]
        text[at] = 46
        starts[label] = at + 1
        if not is_plain_label(text + at + 1, length):
            return False
        at += 1 + length
    number[0] = chain[0]
    number[1] = chain[1]
    for label in range(job.labels - 1, -1, -1):
        length = (size if label == job.labels - 1 else starts[label + 1] - 1) - starts[label]
        if label == job.labels - 1 and length == 9:
            if memcmp(text + starts[label], <const char *>b"localhost", 9) == 0:
                return False
        add_label(number, text + starts[label], length)
        name.numbers[label][0] = number[0]
        name.numbers[label][1] = number[1]
    if job.labels == 1:
        if size == 5 and memcmp(text + 1, <const char *>b"test", 4) == 0:
            return False
        if size == 8 and memcmp(text + 1, <const char *>b"invalid", 7) == 0:
            return False
    name.count = job.labels
    text_size[0] = size - 1
    return True


# --- writing --------------------------------------------------------------------------------------

cdef void begin(Job *job, int rcode, int answers, int authority) noexcept nogil:
    # Header and question.
    cdef uint8_t *answer = job.answer
    memcpy(answer, job.packet, job.end)
    answer[2] = 0x84 | (job.packet[2] & 0x79)
    answer[3] = <uint8_t>rcode
    memset(answer + 4, 0, 8)
    answer[5] = 1
    answer[7] = <uint8_t>answers
    answer[9] = <uint8_t>authority
    answer[11] = 1 if job.opt else 0


cdef void finish(Job *job, uint32_t at, const WorldData *world) noexcept nogil:
    # The OPT record, if one was there.
    cdef uint8_t *opt = job.answer + at
    if job.opt:
        memset(opt, 0, 11)
        opt[2] = OPT_TYPE
        put_two(opt + 3, world.payload)
        opt[7] = 0x80 if job.opt == 3 else 0
        at += 11
    if job.cookie != NULL:
        put_two(opt + 9, 4 + COOKIE_SIZE)
        put_two(opt + 11, COOKIE)
        put_two(opt + 13, COOKIE_SIZE)
        memcpy(opt + 15, job.cookie, COOKIE_SIZE)
        at += 4 + COOKIE_SIZE
    job.answer_size = at
    job.state = FOUND


cdef void cut_off(Job *job, const WorldData *world) noexcept nogil:
    # What was written without its records, for a sender who has to come over TCP.
    job.answer[2] |= 0x02
    job.answer[7] = job.answer[9] = 0
    finish(job, job.end, world)


cdef uint8_t *put_name(
    uint8_t *at, const KnownName *name, uint32_t base_at
) noexcept nogil:
    memcpy(at, name.labels, name.size)
    at += name.size
    if name.inside:
        put_two(at, 0xC000 | base_at)
        at += 2
    return at


cdef bint write_negative(Job *job, const WorldData *world) noexcept nogil:
    # NXDOMAIN with the zone's SOA record; false when there is no room for it.
    cdef uint32_t names = world.names[0].size + world.names[1].size + 4
    cdef uint8_t *soa
    cdef uint8_t *at
    if job.end + 12 + names + 20 + OPT_ROOM > ANSWER_ROOM:
        return False
    begin(job, 3, 0, 1)
    soa = job.answer + job.end
    put_two(soa, 0xC000 | job.zone_at)
    put_four(soa + 2, 0x00060001)
    put_four(soa + 6, job.server.ttl)
    at = put_name(soa + 12, &world.names[0], job.base_at)
    at = put_name(at, &world.names[1], job.base_at)
    put_four(at, world.serial)
    memcpy(at + 4, world.timers, 12)
    put_four(at + 16, job.server.ttl)
    at += 20
    put_two(soa + 10, <uint32_t>(at - soa) - 12)
    finish(job, <uint32_t>(at - job.answer), world)
    return True


cdef bint write_listed(Job *job, const WorldData *world, uint32_t code) noexcept nogil:
    # The A record; false when there is no room for it.
    cdef uint8_t *record = job.answer + job.end
    if job.end + 16 + OPT_ROOM > ANSWER_ROOM:
        return False
    begin(job, 0, 1, 0)
    put_two(record, 0xC000 | HEADER)
    put_four(record + 2, 0x00010001)
    put_four(record + 6, job.server.ttl)
    put_two(record + 10, 4)
    put_four(record + 12, code)
    finish(job, job.end + 16, world)
    return True


cdef uint32_t code_of(const Hit *hit, const Job *job) noexcept nogil:
    # The listing's own return code, the account's, or the default for its sort.
    cdef uint32_t code = 0x7F000100 if job.kind >= KIND_DBL else 0x7F000000
    if hit.code:
        return hit.code
    if job.server.code:
        return job.server.code
    if hit.source == 0:
        return code | (2 if hit.single else 3)
    return code | (4 if hit.source == 1 else 5)
