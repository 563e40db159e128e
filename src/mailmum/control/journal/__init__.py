"""The journal: the append-only record of every change, and the order in which they happened."""
