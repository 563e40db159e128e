"""The reader of Postfix's logs: bytes in, sightings out, no files and no clock.

    bytes -> reader -> headers, clock -> router -> sessions, screen, messages, scores -> sightings
                  or quick: the short way for common lines

What counts as a contact: a refused recipient (or whatever else was refused, at any stage); a
recipient of an accepted message; else the session.  Mail that did not come over SMTP, and bounces,
are none.  Outcomes are what the client was told: mail that a rule then discards or holds is
`accepted`, its delivery unknown, its reason `discard: ...` or `hold: ...`; accepted mail has code
250, which Postfix answers and does not log.  A sighting's time is that of the line that decided:
the refusal, the queue id, the failure, and the connect line where nothing more happened.
"""
