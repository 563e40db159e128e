# The world: everything that answers are made from, and the one way to change it.

cdef enum:
    # More entries than this are put into a copy, which then takes the place of the original.
    MOST_AT_ONCE = 4000
    # So many texts there may be before those that are no longer needed are looked for.
    FEW_TEXTS = 64
    KEY_ROOM = 64
    # Two names, and what is of fixed size.
    SOA_ROOM = 12 + 2 * 257 + 20

cdef struct Key:
    const ServerData *server
    double until
    uint8_t size
    uint64_t name[KEY_ROOM >> 3]

cdef struct WorldData:
    Places places
    uint64_t chain[2]
    Key *keys
    uint64_t key_mask
    uint8_t base[256]
    uint32_t base_size
    uint32_t base_labels
    # All of an SOA record but where zone and BASE are, serial and TTL; see `put_soa`.
    uint8_t soa[SOA_ROOM]
    uint32_t soa_size
    # Where in it BASE is pointed at; 0 for nowhere.
    uint32_t soa_bases[2]
    uint16_t payload
    # What links begin with.
    uint8_t link[256]
    uint32_t link_size
    # The reasons of entries by number; 0 is none, and NULL one that no entry has any more.
    const uint8_t **texts
    uint32_t text_room

cdef struct Staged:
    # A server and what it is to become.
    ServerData *server
    ServerData data

cdef struct Leveled:
    TableData *table
    uint64_t levels[3]

cdef struct Based:
    TableData *table
    TableData data

cdef struct Plan:
    # All of a change, ready to be made.
    uint32_t serial
    const Entry *put
    int64_t puts
    const Entry *drop
    int64_t drops
    Staged *staged
    int64_t servers
    Leveled *leveled
    int64_t levels
    Based *based
    int64_t bases
    Key *keys
    uint64_t key_mask


cdef inline uint64_t key_hash(const uint64_t *name, uint32_t size, uint64_t seed) noexcept nogil:
    # The room behind the name is zero.
    cdef uint64_t hash = seed ^ size
    cdef uint32_t at
    for at in range((size + 7) >> 3):
        hash = mixed(hash ^ name[at])
    return hash


cdef inline const Key *find_key(
    const WorldData *world, const uint64_t *name, uint32_t size, uint64_t hash
) noexcept nogil:
    cdef uint64_t at = hash & world.key_mask
    while world.keys[at].server != NULL:
        if world.keys[at].size == size and is_same(world.keys[at].name, name, size):
            return &world.keys[at]
        at = (at + 1) & world.key_mask
    return NULL


cdef inline bint is_same(const uint64_t *one, const uint64_t *other, uint32_t size) noexcept nogil:
    # What is behind them in their last words is zero.
    cdef uint32_t at
    for at in range((size + 7) >> 3):
        if one[at] != other[at]:
            return False
    return True


cdef void change_places(Places *places, const Plan *plan) noexcept nogil:
    cdef int64_t at
    for at in range(plan.puts):
        put_place(places, &plan.put[at])
    for at in range(plan.drops):
        drop_place(
            places,
            plan.drop[at].table,
            plan.drop[at].level,
            plan.drop[at].high,
            plan.drop[at].low,
        )


cdef bint carry_out(WorldData *world, const Plan *plan) noexcept nogil:
    # False, and nothing changed, when there is no memory.
    cdef Places copy
    cdef Entry *old_places = NULL
    cdef Key *old_keys = NULL
    cdef uint64_t room = world.places.used + plan.puts
    cdef bint whole = plan.puts + plan.drops > MOST_AT_ONCE or 2 * room > world.places.mask
    cdef int64_t at
    cdef int count
    if whole:
        if not make_places(&copy, &world.places, room + room // 4):
            return False
        change_places(&copy, plan)
    count = close_gates()
    if whole:
        old_places = world.places.slots
        world.places = copy
    else:
        change_places(&world.places, plan)
    for at in range(plan.levels):
        memcpy(plan.leveled[at].table.levels, plan.leveled[at].levels, sizeof(uint64_t) * 3)
    for at in range(plan.bases):
        plan.based[at].table.hosts = plan.based[at].data.hosts
        plan.based[at].table.networks = plan.based[at].data.networks
        plan.based[at].table.terms = plan.based[at].data.terms
        plan.based[at].table.texts = plan.based[at].data.texts
    for at in range(plan.servers):
        plan.staged[at].server[0] = plan.staged[at].data
    if plan.keys != NULL:
        old_keys = world.keys
        world.keys = plan.keys
        world.key_mask = plan.key_mask
    put_four(world.soa + world.soa_size - 20, plan.serial)
    open_gates(count)
    free(old_places)
    free(old_keys)
    return True


cdef bytes _NO_TEXT = bytes(TEXT_HEAD)


cdef class World:
    """Servers, keys, tables and what lies over them.

    Args:
        base: the wire form of BASE in lower case, root label included.
        names: of SOA records, primary and contact: labels before BASE and True, or all and False.
        timers: refresh, retry and expire as they stand in SOA records.
        payload: what OPT records announce.
        secret: 32 random bytes.
        link: what links in texts begin with; empty for no links, None to leave texts to Python.
    """

    cdef WorldData data
    cdef list kept
    # The numbers of texts, which this keeps where they are; those that are free; how many there may be.
    cdef dict numbers
    cdef list free_numbers
    cdef int64_t most_texts

    def __cinit__(
        self,
        bytes base not None,
        tuple names not None,
        bytes timers not None,
        uint16_t payload,
        bytes secret not None,
        bytes link=b"",
    ):
        cdef const uint8_t *seeds = secret
        cdef Places none
        if not 1 < len(base) < 256 or len(timers) != 12 or len(secret) != 32 or len(names) != 2:
            raise ValueError("a part of the world has not its size")
        memset(&none, 0, sizeof(Places))
        memcpy(none.seed, seeds, 16)
        memcpy(self.data.chain, seeds + 16, 16)
        if not make_places(&self.data.places, &none, 0):
            raise MemoryError
        self.data.keys = <Key *>calloc(2, sizeof(Key))
        if self.data.keys == NULL:
            raise MemoryError
        self.data.key_mask = 1
        self.data.payload = payload
        self.data.base_size = len(base)
        self.data.base_labels = _count_labels(base)
        memcpy(self.data.base, <const uint8_t *>base, len(base))
        self._prepare_soa(names, timers)
        # A link that is too long for the room is too long for any text.
        self.data.link_size = 256 if link is None else <uint32_t>min(len(link), 256)
        if self.data.link_size < 256:
            memcpy(self.data.link, <const uint8_t *>link, self.data.link_size)
        self.kept = []
        self.numbers = {_NO_TEXT: 0}
        self.free_numbers = []
        self.most_texts = FEW_TEXTS
        self._grow_texts(_NO_TEXT)

    def __dealloc__(self):
        free(self.data.places.slots)
        free(self.data.keys)
        free(self.data.texts)

    cdef int _prepare_soa(self, tuple names, bytes timers) except -1:
        cdef uint32_t at = 12
        cdef bytes labels
        for which, (labels, inside) in enumerate(names):
            if len(labels) > 255:
                raise ValueError("a name has 255 bytes at most")
            memcpy(self.data.soa + at, <const uint8_t *>labels, len(labels))
            at += len(labels)
            if inside:
                self.data.soa_bases[which] = at
                at += 2
        put_four(self.data.soa + 2, 0x00060001)
        put_two(self.data.soa + 10, at + 20 - 12)
        memcpy(self.data.soa + at + 4, <const uint8_t *>timers, 12)
        self.data.soa_size = at + 20
        return 0

    def number_of(self, bytes name not None):
        """High and low half of the number of a name in lower case, at most 253 bytes."""
        cdef uint64_t number[2]
        cdef const uint8_t *labels = name
        cdef int64_t end = len(name), start
        number[0] = self.data.chain[0]
        number[1] = self.data.chain[1]
        while end >= 0:
            start = name.rfind(b".", 0, end) + 1
            add_label(number, labels + start, <uint32_t>(end - start))
            end = start - 1
        return number[0], number[1]

    def text_of(self, bytes text not None):
        """The number of a packed text; the next change must have an entry with it, or it is lost."""
        cdef const uint8_t *bytes_of = text
        found = self.numbers.get(text)
        if found is not None:
            return found
        if not is_text(bytes_of, <uint64_t>len(text), 0):
            raise ValueError("a text is cut off")
        if not self.free_numbers:
            self._grow_texts(NULL)
        number = self.free_numbers.pop()
        # No entry has this number yet, so nobody looks there.
        self.data.texts[<uint32_t>number] = bytes_of
        self.numbers[text] = number
        return number

    cdef int _grow_texts(self, const uint8_t *first) except -1:
        cdef const uint8_t **old = self.data.texts
        cdef uint32_t before = self.data.text_room, size = max(2 * before, <uint32_t>FEW_TEXTS)
        cdef const uint8_t **texts = <const uint8_t **>_room(size * sizeof(void *))
        cdef int count
        if before:
            memcpy(texts, old, before * sizeof(void *))
        else:
            texts[0] = first
        with nogil:
            count = close_gates()
            self.data.texts = texts
            self.data.text_room = size
            open_gates(count)
            free(old)
        self.free_numbers.extend(range(size - 1, max(before, 1) - 1, -1))
        return 0

    cdef int _drop_texts(self) except -1:
        # Let go of those that no entry has; with so many at a time that it costs little for each.
        cdef uint8_t *used = <uint8_t *>_room(self.data.text_room)
        cdef uint64_t at
        with nogil:
            for at in range(self.data.places.mask + 1):
                used[self.data.places.slots[at].text] = 1
        used[0] = 1
        gone = [(text, number) for text, number in self.numbers.items() if not used[<uint32_t>number]]
        free(used)
        for text, number in gone:
            self.data.texts[<uint32_t>number] = NULL
            self.free_numbers.append(number)
            del self.numbers[text]
        at = max(2 * <uint64_t>len(self.numbers), self.data.places.mask >> 6)
        self.most_texts = <int64_t>max(at, <uint64_t>FEW_TEXTS)
        return 0

    @property
    def texts(self):
        """How many texts of entries are kept."""
        return len(self.numbers)

    @property
    def size(self):
        """Places that are in use, and slots there are."""
        return self.data.places.used, self.data.places.mask + 1

    def change(
        self,
        uint32_t serial,
        *,
        bytes put not None=b"",
        bytes drop not None=b"",
        list levels not None=[],
        list bases not None=[],
        list servers not None=[],
        list keys=None,
    ):
        """Change all of this at once.

        Args:
            serial: of SOA records from now on.
            put: packed entries, which replace those of the same place.
            drop: packed entries whose places are to be free.
            levels: tables and three words of 64 bits, see `TableData`.
            bases: tables and their new settled rows.
            servers: servers, and for IPv4, IPv6 and names the tables of each tier, or None where
                Python is to be asked.
            keys: all keys in lower case, with their servers and ends, where some have changed.

        Raises:
            ValueError: a part is not what it should be; then nothing has changed.
        """
        cdef Plan plan
        cdef bint done
        memset(&plan, 0, sizeof(Plan))
        plan.serial = serial
        plan.puts = _entries(&self.data, put, &plan.put)
        plan.drops = _entries(&self.data, drop, &plan.drop)
        try:
            plan.leveled = <Leveled *>_room(len(levels) * sizeof(Leveled))
            plan.based = <Based *>_room(len(bases) * sizeof(Based))
            plan.staged = <Staged *>_room(len(servers) * sizeof(Staged))
            for table, words in levels:
                _plan_levels(&plan.leveled[plan.levels], table, words)
                plan.levels += 1
            for table, base in bases:
                _plan_base(&plan.based[plan.bases], table, base)
                plan.bases += 1
            for server, *stages in servers:
                _plan_server(&plan.staged[plan.servers], server, stages)
                plan.servers += 1
            if keys is not None:
                self._plan_keys(&plan, keys)
            with nogil:
                done = carry_out(&self.data, &plan)
            if not done:
                raise MemoryError
            plan.keys = NULL
        finally:
            free(plan.leveled)
            free(plan.based)
            free(plan.staged)
            free(plan.keys)
        # Only now may what was looked at before be let go.
        self._keep(levels, bases, servers, keys)
        if <int64_t>len(self.numbers) > self.most_texts:
            self._drop_texts()

    cdef int _plan_keys(self, Plan *plan, list keys) except -1:
        cdef uint64_t size = 16
        cdef Key *key
        cdef Server server
        cdef bytes name
        while size < 2 * <uint64_t>len(keys) + 2:
            size *= 2
        plan.keys = <Key *>_room(size * sizeof(Key))
        plan.key_mask = size - 1
        for name, server, until in keys:
            if server is None or not 0 < len(name) < KEY_ROOM:
                raise ValueError("a key is not one")
            key = self._free_key(plan, name)
            key.server = &server.data
            key.until = until
        return 0

    cdef Key *_free_key(self, Plan *plan, bytes name) except NULL:
        cdef uint64_t padded[KEY_ROOM >> 3]
        cdef uint64_t at
        memset(padded, 0, KEY_ROOM)
        memcpy(padded, <const uint8_t *>name, len(name))
        at = key_hash(padded, <uint32_t>len(name), self.data.places.seed[0]) & plan.key_mask
        while plan.keys[at].server != NULL:
            at = (at + 1) & plan.key_mask
        plan.keys[at].size = <uint8_t>len(name)
        memcpy(plan.keys[at].name, padded, KEY_ROOM)
        return &plan.keys[at]

    cdef int _keep(self, list levels, list bases, list servers, list keys) except -1:
        cdef Table table
        cdef Server server
        for table, base in bases:
            table.base = base
        for server, *stages in servers:
            server.tables = tuple(stages)
        if keys is not None:
            self.kept = [server for _, server, _ in keys]
        return 0


cdef void *_room(size_t size) except NULL:
    cdef void *room = calloc(1, size + 1)
    if room == NULL:
        raise MemoryError
    return room


cdef uint32_t _count_labels(bytes name) except 0:
    cdef uint32_t at = 0, count = 0
    cdef const uint8_t *wire = name
    while at < len(name) and 0 < wire[at] < 64:
        at += 1 + wire[at]
        count += 1
    if at != len(name) - 1 or wire[at] or not count:
        raise ValueError("BASE is no name")
    return count


cdef int64_t _entries(const WorldData *world, bytes packed, const Entry **entries) except -1:
    cdef int64_t at, count = len(packed) // <int64_t>sizeof(Entry)
    if len(packed) % sizeof(Entry):
        raise ValueError("an entry is cut off")
    entries[0] = <const Entry *><const uint8_t *>packed
    for at in range(count):
        if (
            not entries[0][at].table
            or entries[0][at].level > 128
            or entries[0][at].state > ASK
            or entries[0][at].action > 1
            or entries[0][at].source > 2
            or entries[0][at].text >= world.text_room
            or world.texts[entries[0][at].text] == NULL
        ):
            raise ValueError("an entry is out of range")
    return count


cdef int _plan_levels(Leveled *plan, Table table, tuple words) except -1:
    if table is None or not table.data.bits or len(words) != 3:
        raise ValueError("levels are of tables of addresses")
    plan.table = &table.data
    for at in range(3):
        plan.levels[at] = words[at]
    if plan.levels[2] >> 1 or (table.data.bits == 32 and (plan.levels[0] >> 33 or plan.levels[1])):
        raise ValueError("a level is beyond the address")
    return 0


cdef int _plan_base(Based *plan, Table table, Base base) except -1:
    if table is None or base is None or table.data.bits != base.bits:
        raise ValueError("a base is of the same bits as its table")
    plan.table = &table.data
    plan.data.hosts = base.hosts
    plan.data.networks = base.networks
    plan.data.terms = base.terms
    plan.data.texts = base.texts
    return 0


cdef int _plan_server(Staged *plan, Server server, list stages) except -1:
    cdef Table table
    if server is None or len(stages) != 3:
        raise ValueError("a server has three sorts of tables")
    plan.server = &server.data
    plan.data = server.data
    memset(plan.data.v4, 0, sizeof(Stage) * 3)
    memset(plan.data.v6, 0, sizeof(Stage) * 3)
    memset(plan.data.names, 0, sizeof(NameStage) * 3)
    for which, (bits, tiers) in enumerate(zip((32, 128, 0), stages)):
        plan.data.asks[which] = tiers is None
        if tiers is None:
            continue
        if len(tiers) > 3:
            raise ValueError("a sort of tables has three tiers")
        for at, tables in enumerate(tiers):
            if not 0 < len(tables) <= MOST_TABLES:
                raise ValueError("a tier has no tables, or more than there is room for")
            for place, table in enumerate(tables):
                if table is None or table.data.bits != bits:
                    raise ValueError("a table is of another sort")
                if which == 0:
                    plan.data.v4[at].tables[place] = &table.data
                elif which == 1:
                    plan.data.v6[at].tables[place] = &table.data
                else:
                    plan.data.names[at].tables[place] = table.data.number
    return 0
