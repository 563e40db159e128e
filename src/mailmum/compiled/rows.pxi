# Rows: the columns of an index's table, looked at where they lie.
#
# The index sorts rows by first address, networks from wide to narrow where these are equal, and
# gives each network the row of the next wider one around it (see `index.rows`); the searches here
# are those of the index.  A column is checked once, when it comes in: lengths, numbers of terms,
# parents before their children, buckets in order, texts within theirs.

cdef enum:
    # Rows of one target, and networks around one another, that are looked at before Python is asked.
    MOST_STEPS = 1000
    # A text, as `index.wording` packs it: size, what is to be known of it, and so many bytes.
    TEXT_HEAD = 2
    STOP = 1
    ODD = 2

cdef struct Terms:
    # `text` is where in the base's texts the reason stands.
    uint32_t code
    uint8_t action
    uint8_t source
    uint32_t text

cdef struct Rows:
    int64_t size
    const uint32_t *firsts
    const uint64_t *highs
    const uint64_t *lows
    const uint32_t *buckets
    int bucket_shift
    const uint8_t *kinds
    int kind_size
    const int64_t *ends
    const uint8_t *shifts
    const int32_t *parents


cdef inline u128 first_of(const Rows *rows, int64_t row) noexcept nogil:
    if rows.firsts != NULL:
        return rows.firsts[row]
    return <u128>rows.highs[row] << 64 | rows.lows[row]


cdef inline uint32_t kind_of(const Rows *rows, int64_t row) noexcept nogil:
    if rows.kind_size == 1:
        return rows.kinds[row]
    if rows.kind_size == 2:
        return (<const uint16_t *>rows.kinds)[row]
    return (<const uint32_t *>rows.kinds)[row]


cdef inline bint in_force(const Rows *rows, int64_t row, double now) noexcept nogil:
    return rows.ends == NULL or now < <double>rows.ends[row]


cdef inline int64_t locate(const Rows *rows, u128 address) noexcept nogil:
    # The last row whose first address is not above the address, or -1.
    cdef int64_t low = 0, high = rows.size, middle
    cdef uint32_t short
    if rows.firsts != NULL:
        short = <uint32_t>address
        if rows.buckets != NULL:
            low = rows.buckets[short >> rows.bucket_shift]
            high = rows.buckets[(short >> rows.bucket_shift) + 1]
        while low < high:
            middle = (low + high) >> 1
            if rows.firsts[middle] <= short:
                low = middle + 1
            else:
                high = middle
        return low - 1
    while low < high:
        middle = (low + high) >> 1
        if first_of(rows, middle) <= address:
            low = middle + 1
        else:
            high = middle
    return low - 1


# --- checks ---------------------------------------------------------------------------------------

cdef inline bint is_text(const uint8_t *texts, uint64_t size, uint64_t at) noexcept nogil:
    # Whether a text that begins there ends there too.
    return at < size and TEXT_HEAD <= size - at and texts[at] <= size - at - TEXT_HEAD


cdef bint texts_are_sound(
    const Terms *terms, int64_t count, const uint8_t *texts, uint64_t size
) noexcept nogil:
    cdef int64_t at
    for at in range(count):
        if not is_text(texts, size, terms[at].text):
            return False
    return True


cdef bint kinds_are_sound(const Rows *rows, uint32_t terms) noexcept nogil:
    cdef int64_t row
    for row in range(rows.size):
        if kind_of(rows, row) >= terms:
            return False
    return True


cdef bint buckets_are_sound(const Rows *rows, int64_t count) noexcept nogil:
    cdef int64_t at
    if not 0 < rows.bucket_shift < 32 or count != (<int64_t>1 << (32 - rows.bucket_shift)) + 1:
        return False
    for at in range(count - 1):
        if rows.buckets[at] > rows.buckets[at + 1]:
            return False
    return rows.buckets[count - 1] == rows.size


cdef bint networks_are_sound(const Rows *rows, int bits) noexcept nogil:
    cdef int64_t row
    for row in range(rows.size):
        if not 0 < rows.shifts[row] <= bits or not -1 <= rows.parents[row] < row:
            return False
    return True


cdef class Column:
    """A column that stays where it is, and stays as it is, as long as this lives.

    A large one is asked to lie in huge pages: a search in it then waits for memory once and not
    twice.
    """

    cdef Py_buffer view
    cdef bint held

    def __cinit__(self, data not None):
        PyObject_GetBuffer(data, &self.view, PyBUF_SIMPLE)
        self.held = True
        with nogil:
            ask_for_huge_pages(self.view.buf, <size_t>self.view.len)

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)


cdef class Base:
    """The settled rows of one table.

    Args:
        bits: 32 or 128.
        terms: packed `Terms` by number.
        texts: the texts of all terms.
        hosts: firsts or highs, lows or None, buckets or None, their shift, kinds, their size in
            bytes, ends or None.
        networks: the same, then shifts and parents.

    Raises:
        ValueError: a column is not what the others say.
    """

    cdef Rows hosts
    cdef Rows networks
    cdef const Terms *terms
    cdef const uint8_t *texts
    cdef int bits
    cdef list columns

    def __cinit__(
        self,
        int bits,
        bytes terms not None,
        bytes texts not None,
        tuple hosts not None,
        tuple networks not None,
    ):
        cdef const uint8_t *place
        if bits != 32 and bits != 128:
            raise ValueError("an address has 32 or 128 bits")
        self.bits = bits
        self.columns = []
        cdef int64_t count = self._attach(terms, sizeof(Terms), &place)
        self.terms = <const Terms *>place
        self._attach(texts, 1, &self.texts)
        if not texts_are_sound(self.terms, count, self.texts, <uint64_t>len(texts)):
            raise ValueError("a text is cut off")
        self._fill(&self.hosts, hosts, count)
        self._fill(&self.networks, networks[:7], count)
        self._fill_networks(networks[7], networks[8])

    cdef int64_t _attach(self, data, int64_t size, const uint8_t **place) except -1:
        cdef Column column = Column(data)
        if column.view.len % size:
            raise ValueError("a column ends within a row")
        self.columns.append(column)
        place[0] = <const uint8_t *>column.view.buf
        return column.view.len // size

    cdef int _fill(self, Rows *rows, tuple parts, int64_t terms) except -1:
        firsts, lows, buckets, shift, kinds, kind_size, ends = parts
        cdef const uint8_t *place
        cdef int64_t count
        cdef bint sound
        rows.size = self._attach(firsts, 4 if self.bits == 32 else 8, &place)
        if self.bits == 32:
            rows.firsts = <const uint32_t *>place
        else:
            rows.highs = <const uint64_t *>place
            self._same(self._attach(lows, 8, &place), rows.size)
            rows.lows = <const uint64_t *>place
        rows.kind_size = kind_size
        if rows.kind_size not in (1, 2, 4):
            raise ValueError("kinds have 1, 2 or 4 bytes")
        self._same(self._attach(kinds, rows.kind_size, &rows.kinds), rows.size)
        if ends is not None:
            self._same(self._attach(ends, 8, &place), rows.size)
            rows.ends = <const int64_t *>place
        with nogil:
            sound = kinds_are_sound(rows, <uint32_t>terms)
        if not sound:
            raise ValueError("a row has terms that are not there")
        if buckets is not None and self.bits == 32:
            count = self._attach(buckets, 4, &place)
            rows.buckets = <const uint32_t *>place
            rows.bucket_shift = shift
            with nogil:
                sound = buckets_are_sound(rows, count)
            if not sound:
                raise ValueError("buckets are out of order")
        return 0

    cdef int _fill_networks(self, shifts, parents) except -1:
        cdef const uint8_t *place
        cdef bint sound
        cdef Rows *rows = &self.networks
        self._same(self._attach(shifts, 1, &rows.shifts), rows.size)
        self._same(self._attach(parents, 4, &place), rows.size)
        rows.parents = <const int32_t *>place
        with nogil:
            sound = networks_are_sound(rows, self.bits)
        if not sound:
            raise ValueError("a network is not where its parents say")
        return 0

    cdef int _same(self, int64_t count, int64_t size) except -1:
        if count != size:
            raise ValueError("columns differ in length")
        return 0
