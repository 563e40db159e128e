"""Proposals from what was seen: worth a listing, worth an exception, worth a look.

A proposal does nothing by itself.  Somebody accepts it, and then the ordinary services make the
listing, with the guards and the journal of any other; or dismisses it, and it never comes again.
"""
