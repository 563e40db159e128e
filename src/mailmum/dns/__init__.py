"""The DNS protocol as MailMum speaks it: bytes in, bytes out, no sockets."""
