"""Who is told when something is out of the ordinary, and the report of a week.

Alerts are triggered by level, not by event.  A *watch* says what holds just now; what holds and is
not known yet opens an alert, what no longer holds closes it.  So nothing depends on having looked
at the right moment: a worker that was down for a night finds what still holds and no more.
"""
