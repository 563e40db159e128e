"""Listings: kept as versions, changed in whole changes, read by account."""
