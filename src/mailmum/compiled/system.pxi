# What is needed of C, POSIX and Linux.

import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <errno.h>
    #include <fcntl.h>
    #include <netinet/in.h>
    #include <poll.h>
    #include <pthread.h>
    #include <signal.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/eventfd.h>
    #include <sys/mman.h>
    #include <sys/socket.h>
    #include <sys/syscall.h>
    #include <sys/time.h>
    #include <time.h>
    #include <unistd.h>

    typedef unsigned __int128 mm_u128;

    #define mm_prefetch(at) __builtin_prefetch(at)
    #define mm_lowest_bit(word) __builtin_ctzll(word)

    /* The first bytes of a word as it lies in memory, 1 to 7 of them; the others become zero. */
    #if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    #define mm_first_bytes(word, count) ((word) & ((UINT64_C(1) << 8 * (count)) - 1))
    #else
    #define mm_first_bytes(word, count) ((word) & ~(~UINT64_C(0) >> 8 * (count)))
    #endif

    #define mm_add_one(at) __atomic_fetch_add(at, 1, __ATOMIC_RELAXED)
    #define mm_take(at) __atomic_exchange_n(at, 0, __ATOMIC_RELAXED)
    #define mm_set(at) __atomic_store_n(at, 1, __ATOMIC_RELEASE)
    #define mm_get(at) __atomic_load_n(at, __ATOMIC_ACQUIRE)

    static int mm_errno(void) { return errno; }

    /* Aligned room for tables that are read at random: huge pages spare a table walk each. */
    static void *mm_room(size_t size) {
        size_t huge = 2u << 20;
        void *room = NULL;
        if (size < huge)
            return calloc(1, size ? size : 1);
        size = (size + huge - 1) / huge * huge;
        if (posix_memalign(&room, huge, size))
            return NULL;
        madvise(room, size, MADV_HUGEPAGE);
        memset(room, 0, size);
        return room;
    }

    #ifndef MADV_COLLAPSE
    #define MADV_COLLAPSE 25
    #endif

    /* The same for what lies somewhere already; where the kernel cannot, it stays as it is. */
    static void mm_huge(void *at, size_t size) {
        size_t huge = 2u << 20;
        uintptr_t first = ((uintptr_t)at + huge - 1) & ~(huge - 1);
        uintptr_t last = ((uintptr_t)at + size) & ~(huge - 1);
        if (first < last) {
            madvise((void *)first, last - first, MADV_HUGEPAGE);
            madvise((void *)first, last - first, MADV_COLLAPSE);
        }
    }

    /* How long the calling thread wants to run at a time, in nanoseconds, 0 for as long as others:
       with a short slice it gets its turn sooner, and no more of the processor.  Since Linux 6.12;
       older ones overlook it, and where it is forbidden all stays as it is.  See sched_setattr(2). */
    static void mm_slice(uint64_t time) {
    #if defined SYS_sched_getattr && defined SYS_sched_setattr
        struct {
            uint32_t size, policy;
            uint64_t flags;
            int32_t nice;
            uint32_t priority;
            uint64_t runtime, deadline, period;
        } wanted;
        memset(&wanted, 0, sizeof wanted);
        if (syscall(SYS_sched_getattr, 0, &wanted, sizeof wanted, 0) || wanted.policy)
            return;
        wanted.size = sizeof wanted;
        wanted.runtime = time;
        syscall(SYS_sched_setattr, 0, &wanted, 0);
    #endif
    }
    """
    ctypedef unsigned long long u128 "mm_u128"
    void prefetch "mm_prefetch"(const void *) noexcept nogil
    int lowest_bit "mm_lowest_bit"(uint64_t) noexcept nogil
    uint64_t first_bytes "mm_first_bytes"(uint64_t, uint32_t) noexcept nogil
    uint64_t add_one "mm_add_one"(uint64_t *) noexcept nogil
    uint64_t take_all "mm_take"(uint64_t *) noexcept nogil
    void set_flag "mm_set"(int *) noexcept nogil
    int get_flag "mm_get"(int *) noexcept nogil
    int last_error "mm_errno"() noexcept nogil
    void *room_for "mm_room"(size_t) noexcept nogil
    void ask_for_huge_pages "mm_huge"(void *, size_t) noexcept nogil

    void set_slice "mm_slice"(uint64_t) noexcept nogil

    void *memmem(const void *, size_t, const void *, size_t) noexcept nogil

    int EAGAIN, EINTR

    ctypedef struct pthread_mutex_t:
        pass
    int pthread_mutex_init(pthread_mutex_t *, void *) noexcept nogil
    int pthread_mutex_lock(pthread_mutex_t *) noexcept nogil
    int pthread_mutex_unlock(pthread_mutex_t *) noexcept nogil

    ctypedef struct sigset_t:
        pass
    int SIG_SETMASK
    int sigfillset(sigset_t *) noexcept nogil
    int pthread_sigmask(int, const sigset_t *, sigset_t *) noexcept nogil

    struct timespec:
        long tv_sec
        long tv_nsec
    int CLOCK_REALTIME
    int clock_gettime(int, timespec *) noexcept nogil
    int nanosleep(const timespec *, timespec *) noexcept nogil

    struct pollfd:
        int fd
        short events
        short revents
    int POLLIN
    int poll(pollfd *, unsigned long, int) noexcept nogil
    int eventfd(unsigned int, int) noexcept nogil
    int EFD_CLOEXEC, EFD_NONBLOCK
    long write_fd "write"(int, const void *, size_t) noexcept nogil
    long read_fd "read"(int, void *, size_t) noexcept nogil
    int close(int) noexcept nogil

    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
        int msg_flags
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    struct sockaddr:
        unsigned short sa_family
    struct sockaddr_in:
        pass
    struct sockaddr_in6:
        pass
    struct timeval:
        long tv_sec
        long tv_usec
    int AF_INET, AF_INET6
    int SOL_SOCKET, SO_RCVTIMEO
    int setsockopt(int, int, int, const void *, unsigned int) noexcept nogil
    int F_GETFL, F_SETFL, O_NONBLOCK
    int fcntl_get "fcntl"(int, int) noexcept nogil
    int fcntl_set "fcntl"(int, int, int) noexcept nogil
    int MSG_DONTWAIT, MSG_WAITFORONE
    int recvmmsg(int, mmsghdr *, unsigned int, int, timespec *) noexcept nogil
    int sendmmsg(int, mmsghdr *, unsigned int, int) noexcept nogil
    long sendmsg(int, const msghdr *, int) noexcept nogil

cdef inline void put_two(uint8_t *at, uint32_t value) noexcept nogil:
    at[0] = <uint8_t>(value >> 8)
    at[1] = <uint8_t>value


cdef inline void put_four(uint8_t *at, uint32_t value) noexcept nogil:
    put_two(at, value >> 16)
    put_two(at + 2, value)


# NEVER is the end of what has none, as in the index's columns; HUGE the size of a huge page.
cdef enum:
    HUGE = 2 << 20
    NOTHING = 0
    FOUND = 1
    ASK = 2

cdef int64_t NEVER = 0x7FFFFFFFFFFFFFFF

# --- gates: one for whoever answers, all of them for whoever changes -----------------------------

cdef enum:
    GATES = 65

cdef pthread_mutex_t gates[GATES]
cdef int most_gates = 1
cdef list free_gates = list(range(GATES - 1, 0, -1))
cdef int _gate
for _gate in range(GATES):
    pthread_mutex_init(&gates[_gate], NULL)


cdef int take_gate() except -1:
    # Gate 0 is Python's own; each service has another.
    global most_gates
    if not free_gates:
        raise RuntimeError(f"there can be {GATES - 1} services at a time")
    cdef int gate = free_gates.pop()
    most_gates = max(most_gates, gate + 1)
    return gate


cdef int close_gates() noexcept nogil:
    # Always in this order, so that two who change cannot wait for each other.
    cdef int at, count = most_gates
    for at in range(count):
        pthread_mutex_lock(&gates[at])
    return count


cdef void open_gates(int count) noexcept nogil:
    cdef int at
    for at in range(count - 1, -1, -1):
        pthread_mutex_unlock(&gates[at])
