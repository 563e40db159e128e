"""The control plane: Django apps, services that write and queries that read."""
