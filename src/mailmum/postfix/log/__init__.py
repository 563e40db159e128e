"""The reader of Postfix's logs: bytes in, sightings out, no files and no clock."""
