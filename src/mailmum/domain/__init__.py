"""Addresses, names, listings, verdicts and errors: pure values and decisions, no I/O."""
