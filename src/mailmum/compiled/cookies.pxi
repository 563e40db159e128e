# Cookies: those that Python has found good lately, each with the address it was made for.
#
# Making and checking one takes a keyed hash (`dns.cookies`), which is done nowhere but there.  A
# resolver shows the same cookie in all of its questions; once Python has seen that it is good, and
# until when it is sent back as it came, that is all that has to be known.  A table of fixed size, in
# which each cookie has one place: who comes to a place that is taken takes it over.

cdef enum:
    COOKIE_SIZE = 24
    COOKIE_SLOTS = 4096

cdef struct Cookie:
    # Good from `since` to before `until`; 0 and 0 for none.
    double since
    double until
    uint64_t sender[2]
    uint8_t data[COOKIE_SIZE]

cdef struct CookieTable:
    Cookie slots[COOKIE_SLOTS]


cdef inline Cookie *cookie_slot(CookieTable *table, const uint8_t *data) noexcept nogil:
    # Its last bytes are those of the hash.
    cdef uint64_t word
    memcpy(&word, data + 16, 8)
    return &table.slots[mixed(word) & (COOKIE_SLOTS - 1)]


cdef int read_sender(const uint8_t *name, uint32_t size, uint64_t *sender) noexcept nogil:
    # The address in a struct sockaddr_in or sockaddr_in6; its version, or 0.
    sender[0] = sender[1] = 0
    if size >= sizeof(sockaddr_in) and (<const sockaddr *>name).sa_family == AF_INET:
        memcpy(sender, name + 4, 4)
        return 4
    if size >= sizeof(sockaddr_in6) and (<const sockaddr *>name).sa_family == AF_INET6:
        memcpy(sender, name + 8, 16)
        return 6
    return 0


cdef bint is_good(
    CookieTable *table, const uint8_t *data, const uint8_t *name, uint32_t size, double now
) noexcept nogil:
    cdef Cookie *cookie = cookie_slot(table, data)
    cdef uint64_t sender[2]
    return (
        cookie.since <= now < cookie.until
        and memcmp(cookie.data, data, COOKIE_SIZE) == 0
        and read_sender(name, size, sender)
        and cookie.sender[0] == sender[0]
        and cookie.sender[1] == sender[1]
    )


cdef int remember(CookieTable *table, bytes data, bytes name, double since, double until) except -1:
    # With the gate closed of whoever reads the table.
    cdef uint64_t sender[2]
    cdef Cookie *cookie
    if len(data) != COOKIE_SIZE:
        raise ValueError("a cookie that is good has 24 bytes")
    if not read_sender(name, <uint32_t>len(name), sender):
        raise ValueError("a sender is of IPv4 or IPv6")
    cookie = cookie_slot(table, data)
    cookie.since = since
    cookie.until = until
    memcpy(cookie.sender, sender, 16)
    memcpy(cookie.data, <const uint8_t *>data, COOKIE_SIZE)
    return 0
