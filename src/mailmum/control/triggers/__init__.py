"""Triggers: kept, changed, followed live by the worker, and tried on the past."""
