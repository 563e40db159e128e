"""The daemons, with real processes and sockets on loopback."""
