"""Observed contacts as values: sightings, and what is counted from them."""
