# Packets: reading the plain ones, and writing their answers.
#
# What is read here is read as `dns.wire` does, only that whatever is not plain is left to it; what is
# written is what `dns.quick`, `dns.entries` and `dns.zones` write.

cdef enum:
    HEADER = 12
    NOERROR = 0
    NXDOMAIN = 3
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
    uint64_t key[KEY_ROOM >> 3]
    const ServerData *server
    uint64_t count_mark
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


cdef inline uint64_t word_at(const uint8_t *at) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, at, 8)
    return word


cdef inline uint64_t lower_word(uint64_t word) noexcept nogil:
    # `lower` for eight bytes at once: the highest bit of each tells whether it is a capital letter.
    cdef uint64_t rest = word & <uint64_t>0x7F7F7F7F7F7F7F7F
    cdef uint64_t from_a = rest + <uint64_t>0x3F3F3F3F3F3F3F3F
    cdef uint64_t beyond_z = rest + <uint64_t>0x2525252525252525
    return word | ((from_a ^ beyond_z) & ~word & <uint64_t>0x8080808080808080) >> 2


cdef inline uint32_t two_bytes(const uint8_t *at) noexcept nogil:
    return <uint32_t>at[0] << 8 | at[1]


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
    if not is_base(packet + job.base_at, world):
        return False
    job.kind = read_kind(packet + offsets[before - 1])
    job.zone_at = offsets[before - 2]
    size = packet[job.zone_at]
    if job.kind < 0 or size >= KEY_ROOM:
        return False
    read_key(job, packet + job.zone_at + 1, size, world.places.seed[0])
    job.labels = before - 2
    return True


cdef inline bint is_base(const uint8_t *name, const WorldData *world) noexcept nogil:
    # As many bytes as BASE has are there.  The last word overlaps the one before it.
    cdef uint32_t at, size = world.base_size
    if size < 8:
        for at in range(size):
            if lower(name[at]) != world.base[at]:
                return False
        return True
    for at in range(0, size - 8, 8):
        if lower_word(word_at(name + at)) != word_at(world.base + at):
            return False
    return lower_word(word_at(name + size - 8)) == word_at(world.base + size - 8)


cdef inline void read_key(
    Job *job, const uint8_t *label, uint32_t size, uint64_t seed
) noexcept nogil:
    # The key and its hash, see `key_hash`.  A last word may reach 7 bytes beyond it: list, BASE,
    # type and class are there, which have 10 at least.
    cdef uint64_t hash = seed ^ size, word
    cdef uint32_t at
    for at in range(0, size, 8):
        word = lower_word(word_at(label + at))
        if size - at < 8:
            word = first_bytes(word, size - at)
        job.key[at >> 3] = word
        hash = mixed(hash ^ word)
    job.key_size = size
    job.hash = hash


cdef bint read_octets(Job *job) noexcept nogil:
    # Four labels of an IPv4 address; single digits may be IPv6, and the test entry has its own rules.
    cdef const uint8_t *label = job.packet + HEADER
    cdef uint32_t value, address = 0, size, first, second, third
    cdef int at
    if job.zone_at == HEADER + 8:
        return False
    for at in range(4):
        # Three bytes are there whatever the size; those that are not of the label do not count.
        size = label[0]
        first = <uint32_t>label[1] - 48
        second = <uint32_t>label[2] - 48
        third = <uint32_t>label[3] - 48
        if size == 3:
            value = 100 * first + 10 * second + third
            if first - 1 > 1 or second > 9 or third > 9 or value > 255:
                return False
        elif size == 2:
            value = 10 * first + second
            if first - 1 > 8 or second > 9:
                return False
        else:
            value = first
            if size != 1 or first > 9:
                return False
        address |= value << 8 * at
        label += 1 + size
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


cdef bint write_negative(Job *job, const WorldData *world, int rcode) noexcept nogil:
    # No records but the zone's SOA; false when there is no room for it.
    cdef uint8_t *soa = job.answer + job.end
    if job.end + world.soa_size + OPT_ROOM > ANSWER_ROOM:
        return False
    begin(job, rcode, 0, 1)
    memcpy(soa, world.soa, world.soa_size)
    put_two(soa, 0xC000 | job.zone_at)
    put_four(soa + 6, job.server.ttl)
    put_four(soa + world.soa_size - 4, job.server.ttl)
    if world.soa_bases[0]:
        put_two(soa + world.soa_bases[0], 0xC000 | job.base_at)
    if world.soa_bases[1]:
        put_two(soa + world.soa_bases[1], 0xC000 | job.base_at)
    finish(job, job.end + world.soa_size, world)
    return True


cdef bint write_code(Job *job, const WorldData *world, uint32_t code) noexcept nogil:
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
