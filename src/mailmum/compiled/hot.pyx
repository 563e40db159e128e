# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=False, binding=False
"""The hot path of DNS, compiled: from datagrams to datagrams without Python's lock.

    datagrams -> read -> key -> tables -> count -> write -> datagrams      (this file)
                   \\______\\_______\\_ what is not plain: the Python engine, which is always right

The rules:

- Same bytes as the Python engine, or no answer from here.  `world.answer` says None, and the
  service hands the packet over, wherever something is not the ordinary case or there is any doubt:
  other types and classes, cookies not seen before, unknown and revoked keys, what is about to
  expire, several listings of one target that changed a moment ago.  A property test and a fuzzer
  hold both engines against each other.
- Every length is checked before anything is read, every number that comes from Python when it comes
  in.  What is looked up later is then known to lie inside.  Work per packet is bounded.
- Rows are not copied: tables look at the columns of the index, which never change after a merge.
  What has changed since, names and keys lie in hash tables of our own.
- A *gate* is held by whoever answers a batch, for some microseconds; a change is prepared first and
  then made in one go with all gates closed.  So no query sees half of a change, and none waits
  longer than that.  Threads that answer take nothing else: neither Python's lock nor a malloc.

The parts: `places` (hash tables), `limits` (who gets how much), `rows` (columns), `tables` (who
decides), `world` (all of it, and changes), `counts`, `cookies`, `packets` (reading and writing),
`texts` (of TXT records), `batch` (many at once), `service` (sockets and threads).
"""

include "system.pxi"
include "places.pxi"
include "limits.pxi"
include "rows.pxi"
include "tables.pxi"
include "world.pxi"
include "counts.pxi"
include "cookies.pxi"
include "packets.pxi"
include "texts.pxi"
include "batch.pxi"
include "service.pxi"
