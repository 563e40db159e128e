"""Packing with zstd: part of Python from 3.14 on, a package before."""

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["CHECKED", "packed", "zstd"]

CHECKED = {int(zstd.CompressionParameter.checksum_flag): 1}


def packed(data: bytes) -> bytes:
    """The data with a checksum, as the program writes it."""
    return zstd.compress(data, options=CHECKED)
