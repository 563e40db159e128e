# Services: a thread of its own that answers on UDP sockets, without Python's lock.
#
# What it cannot answer itself waits in a ring for the thread that has the Python engine, which is
# told by a descriptor.  When the ring is full the packet is dropped and counted: its sender asks
# again, and plain questions are answered all the same.
#
# A service has duplicates of the descriptors it is given: whoever closes his, or forgets to end the
# service, can neither make it spin on a descriptor that is none nor have it read from what got its
# number since.  A socket that is ready again and again with nothing to be had (shut down, short of
# memory, or no UDP socket at all) *rests*: it is tried now and then and no longer waited for.

cdef extern from *:
    """
    #ifndef IP_PKTINFO
    #define IP_PKTINFO 8
    #endif

    /* What was received with a packet becomes what its answer is sent with: from the address that
       was asked; the kernel picks the interface. */
    static void mm_answer_from(struct msghdr *head) {
        struct cmsghdr *part;
        for (part = CMSG_FIRSTHDR(head); part; part = CMSG_NXTHDR(head, part))
            if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO &&
                part->cmsg_len >= CMSG_LEN(sizeof(struct in_pktinfo))) {
                struct in_pktinfo info;
                memcpy(&info, CMSG_DATA(part), sizeof info);
                info.ipi_ifindex = 0;
                info.ipi_addr.s_addr = 0;
                memcpy(CMSG_DATA(part), &info, sizeof info);
            }
    }
    """
    void answer_from "mm_answer_from"(msghdr *) noexcept nogil

cdef enum:
    PACKET_ROOM = 4096
    # Not a power of two: slots of a batch would otherwise share a few lines of the cache.
    PACKET_STEP = 4096 + 192
    ANSWER_STEP = 512 + 64
    NAME_ROOM = 32
    CONTROL_ROOM = 64
    WAITING = 256
    MOST_SOCKETS = 64
    # So often in a row may a socket be ready in vain; bad checksums make one ready once each.
    MOST_BARREN = 4
    # Milliseconds: how long to wait for a packet, how long while a socket rests, and how long for
    # the next packet while they come one after the other.
    LONG_WAIT = 1000
    SHORT_WAIT = 50
    NEXT_WAIT = 20
    # Nanoseconds: how long to run at a time where others of the process want the processor too; not
    # for the rest of a tick of theirs, some milliseconds, is a packet to wait.
    SHORT_SLICE = 100000

cdef struct Slot:
    # Address of the sender and what came with the packet; C wants both at multiples of 8.
    uint64_t name[4]
    uint64_t control[8]

cdef struct Handed:
    # A packet that waits for Python, and the socket it came to.
    int socket
    uint32_t size
    uint32_t name_size
    uint32_t control_size
    Slot slot
    uint8_t packet[PACKET_ROOM]

cdef struct Faults:
    uint64_t unread
    uint64_t unsent
    uint64_t overrun

cdef struct Desk:
    # All that the thread works with.
    int gate
    int wake
    int news
    int stopping
    bint wildcard
    # Whether `recvmmsg` waits for the first packet, which spares a busy thread calls of `poll`.
    bint patient
    int count
    int fds[MOST_SOCKETS]
    int barren[MOST_SOCKETS]
    pollfd polled[MOST_SOCKETS + 1]
    const WorldData *world
    CountTable *counting
    CountTable counts[2]
    Faults faults
    Scratch scratch
    Job jobs[BATCH]
    mmsghdr heads_in[BATCH]
    mmsghdr heads_out[BATCH]
    iovec parts_in[BATCH]
    iovec parts_out[BATCH]
    Slot slots[BATCH]
    uint8_t packets[BATCH][PACKET_STEP]
    uint8_t answers[BATCH][ANSWER_STEP]
    pthread_mutex_t ring_lock
    Handed *ring
    uint32_t first
    uint32_t waiting


cdef void tell(int fd) noexcept nogil:
    cdef uint64_t one = 1
    if write_fd(fd, &one, 8) != 8:
        # Told already, and not yet heard.
        return


cdef void hand_over(Desk *desk, int socket, int at) noexcept nogil:
    cdef msghdr *head = &desk.heads_in[at].msg_hdr
    cdef Handed *handed
    cdef Job *job = &desk.jobs[at]
    pthread_mutex_lock(&desk.ring_lock)
    if desk.waiting == WAITING:
        add_one(&desk.faults.overrun)
    else:
        handed = &desk.ring[(desk.first + desk.waiting) % WAITING]
        handed.socket = socket
        handed.size = job.size
        handed.name_size = head.msg_namelen
        handed.control_size = <uint32_t>head.msg_controllen
        handed.slot = desk.slots[at]
        memcpy(handed.packet, job.packet, job.size)
        desk.waiting += 1
    pthread_mutex_unlock(&desk.ring_lock)


cdef void lay_out(Desk *desk) noexcept nogil:
    # What stays the same for all batches.
    cdef int at
    for at in range(BATCH):
        desk.parts_in[at].iov_base = desk.packets[at]
        desk.parts_in[at].iov_len = PACKET_ROOM
        desk.heads_in[at].msg_hdr.msg_name = desk.slots[at].name
        desk.heads_in[at].msg_hdr.msg_iov = &desk.parts_in[at]
        desk.heads_in[at].msg_hdr.msg_iovlen = 1
        desk.heads_out[at].msg_hdr.msg_iov = &desk.parts_out[at]
        desk.heads_out[at].msg_hdr.msg_iovlen = 1
        desk.jobs[at].packet = desk.packets[at]
        desk.jobs[at].answer = desk.answers[at]
        desk.jobs[at].name = <uint8_t *>desk.slots[at].name
    make_ready(desk, BATCH)


cdef void make_ready(Desk *desk, int count) noexcept nogil:
    # The kernel has written over these.
    cdef msghdr *head
    cdef int at
    for at in range(count):
        head = &desk.heads_in[at].msg_hdr
        head.msg_namelen = NAME_ROOM
        head.msg_control = desk.slots[at].control if desk.wildcard else NULL
        head.msg_controllen = CONTROL_ROOM if desk.wildcard else 0


cdef int receive(Desk *desk, int fd) noexcept nogil:
    cdef int count = recvmmsg(
        fd, desk.heads_in, BATCH, MSG_WAITFORONE if desk.patient else MSG_DONTWAIT, NULL
    )
    if count < 0:
        if last_error() != EAGAIN and last_error() != EINTR:
            add_one(&desk.faults.unread)
        return 0
    if desk.patient and not desk.heads_in[0].msg_hdr.msg_namelen:
        # Of nobody: a socket that has been shut down says so without end.  `poll` lets it rest.
        desk.patient = False
        fcntl_set(fd, F_SETFL, fcntl_get(fd, F_GETFL) | O_NONBLOCK)
        make_ready(desk, count)
        return 0
    return count


cdef void send(Desk *desk, int fd, int count) noexcept nogil:
    cdef int done = 0, sent
    while done < count:
        sent = sendmmsg(fd, &desk.heads_out[done], count - done, MSG_DONTWAIT)
        if sent <= 0:
            # It tells what is wrong with the first of them; the others may be well.
            add_one(&desk.faults.unsent)
            sent = 1
        done += sent


cdef void decide_all(Desk *desk, int count) noexcept nogil:
    cdef timespec time
    cdef int at
    for at in range(count):
        desk.jobs[at].size = min(desk.heads_in[at].msg_len, <uint32_t>PACKET_ROOM)
        desk.jobs[at].name_size = min(desk.heads_in[at].msg_hdr.msg_namelen, <uint32_t>NAME_ROOM)
        desk.jobs[at].state = ASK
    clock_gettime(CLOCK_REALTIME, &time)
    pthread_mutex_lock(&gates[desk.gate])
    if desk.world != NULL:
        process(
            desk.jobs,
            count,
            desk.world,
            desk.counting,
            &desk.scratch,
            time.tv_sec + 1e-9 * time.tv_nsec,
        )
    pthread_mutex_unlock(&gates[desk.gate])


cdef int answer_batch(Desk *desk, int socket) noexcept nogil:
    # How many packets were there.
    cdef msghdr *head
    cdef int at, answers = 0, handed = 0
    cdef int count = receive(desk, desk.fds[socket])
    if not count:
        return 0
    desk.barren[socket] = 0
    decide_all(desk, count)
    for at in range(count):
        if desk.jobs[at].state == ASK:
            hand_over(desk, socket, at)
            handed += 1
            continue
        if desk.jobs[at].state != FOUND:
            continue
        head = &desk.heads_out[answers].msg_hdr
        head.msg_name = desk.slots[at].name
        head.msg_namelen = desk.heads_in[at].msg_hdr.msg_namelen
        head.msg_control = NULL
        head.msg_controllen = desk.heads_in[at].msg_hdr.msg_controllen
        if head.msg_controllen:
            head.msg_control = desk.slots[at].control
            answer_from(head)
        desk.parts_out[answers].iov_base = desk.jobs[at].answer
        desk.parts_out[answers].iov_len = desk.jobs[at].answer_size
        answers += 1
    if answers:
        send(desk, desk.fds[socket], answers)
    if handed:
        tell(desk.news)
    make_ready(desk, count)
    return count


cdef void wait_for_packets(Desk *desk) noexcept nogil:
    # Nothing was there a moment ago.  Returns after SHORT_WAIT at the earliest, or when there is
    # reason to hope.
    cdef int at, patience = LONG_WAIT
    cdef timespec pause
    for at in range(desk.count):
        desk.polled[at].fd = desk.fds[at]
        if desk.barren[at] >= MOST_BARREN:
            # Left out by `poll`.
            desk.polled[at].fd = -1
            patience = SHORT_WAIT
    if poll(desk.polled, desk.count + 1, patience) < 0:
        # Signals are blocked, so it is memory or a limit of the process.
        memset(&pause, 0, sizeof(timespec))
        pause.tv_nsec = SHORT_WAIT * 1000000
        nanosleep(&pause, NULL)
        return
    for at in range(desk.count):
        if desk.polled[at].fd >= 0 and desk.polled[at].revents:
            desk.barren[at] += 1


cdef bint wait_in_receive(int fd, int *flags) noexcept nogil:
    # Have the only socket wait for a packet, though not for long, as `stop` cannot be heard there.
    # What the flags of its description were; false, and nothing changed, where that cannot be.
    cdef timeval limit
    memset(&limit, 0, sizeof(timeval))
    limit.tv_usec = NEXT_WAIT * 1000
    flags[0] = fcntl_get(fd, F_GETFL)
    if flags[0] < 0 or setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(timeval)):
        return False
    return fcntl_set(fd, F_SETFL, flags[0] & ~O_NONBLOCK) == 0


cdef void answer_until_stopped(Desk *desk) noexcept nogil:
    cdef int at, found
    while not get_flag(&desk.stopping):
        found = 0
        for at in range(desk.count):
            found += answer_batch(desk, at)
        if not found:
            wait_for_packets(desk)


cdef class Handover:
    """A packet that the Python engine has to answer.

    Attributes:
        packet: as it was received.
    """

    cdef readonly bytes packet
    cdef Service service
    cdef int socket
    cdef uint32_t name_size
    cdef uint32_t control_size
    cdef Slot slot

    @property
    def name(self):
        """The sender as the kernel tells it: struct sockaddr_in or sockaddr_in6."""
        return (<uint8_t *>self.slot.name)[:self.name_size]

    def send(self, bytes answer not None):
        """Send an answer from where the packet came to; whether that could be done."""
        cdef msghdr head
        cdef iovec part
        cdef long sent
        memset(&head, 0, sizeof(msghdr))
        part.iov_base = <void *><const uint8_t *>answer
        part.iov_len = len(answer)
        head.msg_name = self.slot.name
        head.msg_namelen = self.name_size
        head.msg_iov = &part
        head.msg_iovlen = 1
        if self.control_size:
            head.msg_control = self.slot.control
            head.msg_controllen = self.control_size
            answer_from(&head)
        with nogil:
            # A service that has ended has no sockets, and the number then is -1.
            sent = sendmsg(self.service.desk.fds[self.socket], &head, MSG_DONTWAIT)
        return sent >= 0


cdef class Service:
    """Answers on UDP sockets that do not block, in the thread that calls `run`.

    Args:
        sockets: their descriptors, which are duplicated; those are closed when `run` has ended.
        wildcard: whether some are bound to all addresses, and tell which was asked.
        limiter: limits what is sent; None for any number.
    """

    cdef Desk *desk
    cdef World world
    cdef Limiter limiter
    # What was taken last.
    cdef Counted taken

    def __cinit__(self, list sockets not None, bint wildcard, Limiter limiter=None):
        # In one huge page, as nearly all of it is read and written for each batch.
        cdef Desk *desk = <Desk *>room_for(HUGE)
        if desk == NULL:
            raise MemoryError
        self.desk = desk
        desk.wake = desk.news = -1
        desk.wildcard = wildcard
        self.limiter = limiter
        desk.scratch.limits = NULL if limiter is None else &limiter.data
        if not 0 < len(sockets) <= MOST_SOCKETS:
            raise ValueError(f"a service has 1 to {MOST_SOCKETS} sockets")
        pthread_mutex_init(&desk.ring_lock, NULL)
        desk.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
        desk.news = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
        if desk.wake < 0 or desk.news < 0:
            raise OSError("no descriptor is left for a service")
        for at, fd in enumerate(sockets):
            desk.fds[at] = os.dup(fd)
            desk.polled[at].events = POLLIN
            desk.count = at + 1
        desk.polled[desk.count].fd = desk.wake
        desk.polled[desk.count].events = POLLIN
        lay_out(desk)
        desk.ring = <Handed *>_room(WAITING * sizeof(Handed))
        if not make_counts(&desk.counts[0]) or not make_counts(&desk.counts[1]):
            raise MemoryError
        desk.counting = &desk.counts[0]
        desk.gate = take_gate()

    def __dealloc__(self):
        if self.desk == NULL:
            return
        self._leave()
        if self.desk.wake >= 0:
            close(self.desk.wake)
        if self.desk.news >= 0:
            close(self.desk.news)
        free_counts(&self.desk.counts[0])
        free_counts(&self.desk.counts[1])
        free(self.desk.ring)
        free(self.desk)

    cdef int _leave(self) except -1:
        # Nobody reads sockets and world here any more.
        for at in range(self.desk.count):
            if self.desk.fds[at] >= 0:
                close(self.desk.fds[at])
                self.desk.fds[at] = -1
        if self.desk.gate:
            free_gates.append(self.desk.gate)
            self.desk.gate = 0
        return 0

    @property
    def news(self):
        """A descriptor that can be read when `handed` has something."""
        return self.desk.news

    def run(self):
        """Answer until `stop`."""
        cdef sigset_t all_signals, before
        cdef int flags = 0
        cdef bint changed = False
        sigfillset(&all_signals)
        # Signals are for the main thread: it waits in Python, this one would not notice.
        pthread_sigmask(SIG_SETMASK, &all_signals, &before)
        if self.desk.count == 1:
            changed = self.desk.patient = wait_in_receive(self.desk.fds[0], &flags)
        with nogil:
            set_slice(SHORT_SLICE)
            answer_until_stopped(self.desk)
            set_slice(0)
        if changed:
            fcntl_set(self.desk.fds[0], F_SETFL, flags)
        self._leave()
        pthread_sigmask(SIG_SETMASK, &before, NULL)

    def stop(self):
        """End `run` soon; from any thread."""
        set_flag(&self.desk.stopping)
        tell(self.desk.wake)

    def use(self, World world):
        """Answer from this world from now on; None hands everything over."""
        cdef const WorldData *data = NULL if world is None else &world.data
        with nogil:
            pthread_mutex_lock(&gates[self.desk.gate])
            self.desk.world = data
            pthread_mutex_unlock(&gates[self.desk.gate])
        self.world = world

    def remember(self, bytes cookie not None, bytes name not None, double since, double until):
        """Take a cookie of this sender for good.

        Args:
            cookie: all 24 bytes of it.
            name: the sender, as the kernel tells it.
            since: Unix time in seconds from which it is sent back as it comes.
            until: and before which.
        """
        pthread_mutex_lock(&gates[self.desk.gate])
        try:
            remember(&self.desk.scratch.cookies, cookie, name, since, until)
        finally:
            pthread_mutex_unlock(&gates[self.desk.gate])

    def handed(self):
        """The packets that wait for Python."""
        cdef uint64_t told
        cdef Handed *handed
        cdef Handover one
        cdef list found = []
        read_word(self.desk.news, &told)
        while True:
            pthread_mutex_lock(&self.desk.ring_lock)
            if not self.desk.waiting:
                pthread_mutex_unlock(&self.desk.ring_lock)
                return found
            handed = &self.desk.ring[self.desk.first]
            pthread_mutex_unlock(&self.desk.ring_lock)
            # The place is free for another packet only when this one has been taken out.
            one = Handover.__new__(Handover)
            one.packet = handed.packet[:handed.size]
            one.service = self
            one.socket = handed.socket
            one.name_size = min(handed.name_size, <uint32_t>NAME_ROOM)
            one.control_size = min(handed.control_size, <uint32_t>CONTROL_ROOM)
            one.slot = handed.slot
            found.append(one)
            pthread_mutex_lock(&self.desk.ring_lock)
            self.desk.first = (self.desk.first + 1) % WAITING
            self.desk.waiting -= 1
            pthread_mutex_unlock(&self.desk.ring_lock)
            if len(found) == WAITING:
                # The others come with the next turn, so that other work gets one in between.
                tell(self.desk.news)
                return found

    def take(self):
        """What was counted: as `Counted`, how much nameless, how much lost, and faults by name."""
        cdef CountTable *full
        if self.taken is not None:
            # The thread gets its table again.  Without memory for that all stays as it is.
            self.taken.settle_soon()
        with nogil:
            pthread_mutex_lock(&gates[self.desk.gate])
            full = self.desk.counting
            self.desk.counting = &self.desk.counts[full == &self.desk.counts[0]]
            pthread_mutex_unlock(&gates[self.desk.gate])
        counted = take_counts(full, self)
        self.taken = counted[0]
        kinds = {
            "unread": take_all(&self.desk.faults.unread),
            "unsent": take_all(&self.desk.faults.unsent),
            "overrun": take_all(&self.desk.faults.overrun),
            "limited": take_all(&self.desk.scratch.limited),
            "slipped": take_all(&self.desk.scratch.slipped),
        }
        faults = {kind: many for kind, many in kinds.items() if many}
        return *counted, faults


cdef void read_word(int fd, uint64_t *word) noexcept nogil:
    # Nothing there is as good as something: the caller looks anyway.
    word[0] = 0
    if read_fd(fd, word, 8) != 8:
        word[0] = 0
