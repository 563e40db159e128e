"""What has been observed, kept apart from rules and people."""
