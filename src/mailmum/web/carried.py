"""A file that goes along between two pages: packed into a field of the form.

Nothing of an import that is only looked at is kept on the server, so nothing must be cleaned up and
any process can go on with it.  The bounds keep it below what a request may have (`web.limits`).
What comes back is as little to be trusted as what came first.
"""

import base64
import binascii
import zlib

from mailmum.domain.errors import BadInput

FILE_LIMIT = 3 * 1024 * 1024
PACKED_LIMIT = 3 * 1024 * 1024
_TOO_LARGE = "use the command line: mailmum import FILE"


def packed(data: bytes) -> str:
    """A file as text.

    Raises:
        BadInput: it is too large for a page.
    """
    if len(data) > FILE_LIMIT:
        raise BadInput(f"the file is larger than {FILE_LIMIT >> 20} MB", fix=_TOO_LARGE)
    text = base64.b64encode(zlib.compress(data, 6)).decode()
    if len(text) > PACKED_LIMIT:
        raise BadInput("the file is too large for a page", fix=_TOO_LARGE)
    return text


def unpacked(text: str) -> bytes:
    """The file again, whatever came back in its place.

    Raises:
        BadInput: that is not one of ours.
    """
    damaged = BadInput("the file did not come along whole", fix="choose it again")
    if len(text) > PACKED_LIMIT:
        raise damaged
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(base64.b64decode(text, validate=True), FILE_LIMIT)
    except (binascii.Error, zlib.error, ValueError):
        raise damaged from None
    if not reader.eof:
        raise damaged
    return data
