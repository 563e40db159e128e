"""The Postfix policy service, sans-IO: bytes of requests in, bytes of replies out."""
