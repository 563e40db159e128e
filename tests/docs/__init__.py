"""The documentation is held against what stands: its commands are run, its settings read."""
