"""Bodies that came compressed with gzip, without ever holding more than the bound."""

import zlib

from app.otlp.refusals import MalformedError, TooLargeError

_GZIP = 16 + zlib.MAX_WBITS
_NOT_GZIP = "The body is not whole gzip."


def unzipped(body: bytes, limit: int) -> bytes:
    """The decompressed body of at most `limit` bytes; raises TooLargeError beyond, MalformedError for no whole gzip.

    One member only: what follows it is no part of a request, and many small members would each be work.
    """
    stream = zlib.decompressobj(wbits=_GZIP)
    try:
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedError(_NOT_GZIP) from error
    if len(plain) > limit:
        raise TooLargeError("The body is too large.")
    if not stream.eof or stream.unused_data:
        raise MalformedError(_NOT_GZIP)
    return plain
