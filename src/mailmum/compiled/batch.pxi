# Batches: many packets at once, one step of all of them after the other.
#
# A lookup waits for memory a few times, each time for something that depends on what came before.  So
# every step asks for the memory of the next one ahead of time and goes on to the next packet.

cdef enum:
    BATCH = 64

cdef struct Scratch:
    # For one packet at a time, but for the cookies, which stay, and what has not been sent.
    CookieTable cookies
    Limits *limits
    uint64_t limited
    uint64_t slipped
    Name name
    uint8_t text[256]
    uint32_t text_size


cdef inline void start_job(Job *job, const WorldData *world) noexcept nogil:
    job.state = NOTHING
    if not read(job, world):
        job.state = ASK
        return
    prefetch(&world.keys[job.hash & world.key_mask])


cdef inline void enter(Job *job, const WorldData *world, double now) noexcept nogil:
    # Key and server.
    cdef const Key *key
    if job.state == ASK:
        return
    key = find_key(world, job.key, job.key_size, job.hash)
    if key == NULL or now >= key.until:
        job.state = ASK
        return
    job.server = key.server
    prefetch(job.server)
    prefetch(&job.server.v4)


cdef inline void approach(
    Job *job, const CountTable *counts, Scratch *scratch, double now
) noexcept nogil:
    # Where rows are searched and counts are kept.
    if job.state == ASK:
        return
    if now >= job.server.until:
        job.state = ASK
        return
    if job.server.asker_count or (scratch.limits != NULL and job.cookie == NULL):
        meet(job, scratch)
        if job.state == ASK:
            return
    if not job.version:
        return
    job.count_mark = count_mark(job.server.number, job.kind, job.version)
    job.count_hash = count_hash(
        job.count_mark, <uint64_t>(job.address >> 64), <uint64_t>job.address
    )
    prefetch(&counts.slots[job.count_hash & (COUNT_SLOTS - 1)])
    job.table = NULL
    if job.version == 4:
        job.table = job.server.v4[0].tables[0]
        if job.table != NULL and job.table.hosts.buckets != NULL:
            prefetch(
                &job.table.hosts.buckets[<uint32_t>job.address >> job.table.hosts.bucket_shift]
            )
        if job.table != NULL and job.table.networks.buckets != NULL:
            prefetch(
                &job.table.networks.buckets[
                    <uint32_t>job.address >> job.table.networks.bucket_shift
                ]
            )


cdef inline void meet(Job *job, Scratch *scratch) noexcept nogil:
    # Who asks: whether he may, and where it stands how much he gets.
    job.sender_version = read_sender(job.name, job.name_size, job.sender)
    if job.server.asker_count:
        if not job.sender_version or not in_ranges(
            job.server.askers, job.server.asker_count, job.sender_version, job.sender
        ):
            job.state = ASK
    elif job.sender_version:
        job.limit_hash = network_hash(scratch.limits, job.sender_version, job.sender)
        prefetch(bucket_set(scratch.limits, job.limit_hash))


cdef inline bint is_limited(
    Job *job, const WorldData *world, Scratch *scratch, double now
) noexcept nogil:
    # Whether an answer that is written is cut off or kept back.
    cdef int decided
    if scratch.limits == NULL or job.cookie != NULL:
        return False
    if job.server.asker_count or not job.sender_version:
        return False
    decided = limit(scratch.limits, job.sender_version, job.sender, job.limit_hash, now)
    if decided == PASS:
        return False
    if decided == SLIP:
        add_one(&scratch.slipped)
        cut_off(job, world)
        return True
    add_one(&scratch.limited)
    job.state = NOTHING
    job.answer_size = 0
    return True


cdef inline void come_close(Job *job) noexcept nogil:
    cdef const Rows *rows
    cdef uint32_t low
    if job.state == ASK or not job.version or job.table == NULL:
        return
    rows = &job.table.hosts
    if rows.buckets != NULL:
        low = rows.buckets[<uint32_t>job.address >> rows.bucket_shift]
        if low < rows.size:
            prefetch(&rows.firsts[low])
            prefetch(&rows.kinds[low * <uint32_t>rows.kind_size])
    rows = &job.table.networks
    if rows.buckets != NULL:
        low = rows.buckets[<uint32_t>job.address >> rows.bucket_shift]
        if low < rows.size:
            # The row is most often the one before.
            low -= low > 0
            prefetch(&rows.firsts[low])
            prefetch(&rows.shifts[low])
            prefetch(&rows.parents[low])


cdef void decide(
    Job *job,
    const WorldData *world,
    CountTable *counts,
    Scratch *scratch,
    double now,
) noexcept nogil:
    # The verdict, its answer and its count.
    cdef Hit hit
    cdef int action = job.kind & 1
    cdef bint written
    if job.state == ASK:
        return
    job.state = ASK
    if job.cookie != NULL and not is_good(
        &scratch.cookies, job.cookie, job.name, job.name_size, now
    ):
        return
    memset(&hit, 0, sizeof(Hit))
    if job.version:
        decide_address(&hit, &world.places, job.server, job.version, job.address, now)
    else:
        if not read_client_name(
            job, world.chain, scratch.text, &scratch.text_size, &scratch.name
        ):
            return
        decide_name(&hit, &world.places, job.server, &scratch.name, now)
    if hit.state == FOUND and not hit.action and now < job.server.blocks_from:
        # A pause lets the block go.  Around a host, a domain may still allow what is below it.
        if hit.single and not job.version:
            return
        memset(&hit, 0, sizeof(Hit))
    # A lifetime shorter than the TTL shortens the TTL.
    if hit.state == ASK or (
        hit.state == FOUND and hit.ends != NEVER and hit.ends - now < <double>job.server.ttl + 1
    ):
        return
    if hit.state == FOUND and hit.action == action:
        written = write_listed(job, world, scratch, &hit)
    elif not job.version and (
        (hit.state == FOUND and hit.single)
        or has_names_below(
            &world.places, job.server, &scratch.name, BELOW_ALLOW if action else BELOW_BLOCK
        )
    ):
        # The name may exist without being listed.
        return
    else:
        written = write_negative(job, world, NXDOMAIN)
    if written and not is_limited(job, world, scratch, now) and job.type == TYPE_A:
        note(job, counts, scratch, &hit)


cdef bint write_listed(
    Job *job, const WorldData *world, const Scratch *scratch, const Hit *hit
) noexcept nogil:
    # What is asked of a listing; false when Python is to be asked.
    if job.type == TYPE_A:
        return write_code(job, world, code_of(hit, job))
    if job.type == TYPE_TXT:
        return write_text(job, world, hit, scratch.text + 1, scratch.text_size)
    return write_negative(job, world, NOERROR)


cdef void note(Job *job, CountTable *counts, const Scratch *scratch, const Hit *hit) noexcept nogil:
    # What was decided about whom.
    cdef Count wanted
    cdef uint64_t code = 0
    if hit.state == FOUND:
        code = (1 + hit.action) | (0 if hit.single else WIDE)
    wanted.text = 0
    if job.version:
        wanted.mark = job.count_mark | code
        wanted.high = <uint64_t>(job.address >> 64)
        wanted.low = <uint64_t>job.address
        count(counts, &wanted, job.count_hash, NULL)
        return
    wanted.high = scratch.name.numbers[0][0]
    wanted.low = scratch.name.numbers[0][1]
    wanted.text = scratch.text_size
    wanted.mark = count_mark(job.server.number, job.kind, 0)
    job.count_hash = count_hash(wanted.mark, wanted.high, wanted.low)
    wanted.mark |= code
    count(counts, &wanted, job.count_hash, scratch.text + 1)


cdef void process(
    Job *jobs,
    int size,
    const WorldData *world,
    CountTable *counts,
    Scratch *scratch,
    double now,
) noexcept nogil:
    cdef int at
    for at in range(size):
        start_job(&jobs[at], world)
    for at in range(size):
        enter(&jobs[at], world, now)
    for at in range(size):
        approach(&jobs[at], counts, scratch, now)
    for at in range(size):
        come_close(&jobs[at])
    for at in range(size):
        decide(&jobs[at], world, counts, scratch, now)


cdef class Clerk:
    """Answers packets and counts: the hot path without sockets, for tests."""

    cdef CountTable counts
    cdef Scratch scratch
    cdef Limiter limiter

    def __cinit__(self):
        if not make_counts(&self.counts):
            raise MemoryError

    def __dealloc__(self):
        free_counts(&self.counts)

    def answer(
        self, World world not None, bytes packet not None, double now, bytes name not None=b""
    ):
        """The answer to a packet, nothing when none is sent, or None when Python is to be asked.

        Args:
            world: what to answer from.
            packet: the question.
            now: Unix time in seconds.
            name: its sender, as the kernel tells it.
        """
        return self.answer_all(world, [packet], now, name)[0]

    def answer_all(
        self, World world not None, list packets not None, double now, bytes name not None=b""
    ):
        """The same for several packets of one sender at once, no more than fit into a batch."""
        cdef Job jobs[BATCH]
        cdef uint8_t room[BATCH][ANSWER_ROOM]
        cdef int at, count = len(packets)
        cdef bytes packet
        if count > BATCH:
            raise ValueError(f"a batch has {BATCH} packets at most")
        for at in range(count):
            packet = packets[at]
            memset(&jobs[at], 0, sizeof(Job))
            jobs[at].packet = packet
            jobs[at].size = <uint32_t>min(len(packet), 65535)
            jobs[at].answer = room[at]
            jobs[at].name = name
            jobs[at].name_size = <uint32_t>len(name)
        with nogil:
            pthread_mutex_lock(&gates[0])
            process(jobs, count, &world.data, &self.counts, &self.scratch, now)
            pthread_mutex_unlock(&gates[0])
        return [
            None if jobs[at].state == ASK else room[at][:jobs[at].answer_size]
            for at in range(count)
        ]

    def limit(self, Limiter limiter):
        """Answer within limits from now on, or without."""
        self.scratch.limits = NULL if limiter is None else &limiter.data
        self.limiter = limiter

    def remember(self, bytes cookie not None, bytes name not None, double since, double until):
        """Take a cookie of this sender for good: see `Service.remember`."""
        remember(&self.scratch.cookies, cookie, name, since, until)

    def take(self):
        """What was counted: see `Service.take`."""
        taken = take_counts(&self.counts, self)
        (<Counted>taken[0]).settle_soon()
        return taken
