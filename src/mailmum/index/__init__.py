"""Listings prepared for lookup: tables, overlay and snapshot codec, sans-IO."""
