"""Removal requests: what a rejected sender asks, and what the administrator answers."""
