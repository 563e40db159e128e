"""Feeds: lists of others that an account subscribes to, kept up to date, shared in memory."""
