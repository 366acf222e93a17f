"""Why a body is refused: sentences of ours, which echo nothing of it."""


class MalformedError(ValueError):
    """The body is not what its headers say, or not what OTLP describes."""


class TooLargeError(ValueError):
    """The body is larger than we take, once it is decompressed."""


SHAPE = "The body does not have the shape of an OTLP request."
