"""The ways in which a thing can end that are neither success nor a failure to retry.

Anything else that goes wrong outside is raised as it is, counts as an attempt and is tried again.
"""

from datetime import datetime


class Later(Exception):  # noqa: N818 - not an error: the thing is fine, only not due yet
    """Due later, at `until` (aware, UTC); `reason` is one sentence for people. Not a failed attempt."""

    def __init__(self, until: datetime, reason: str = "") -> None:
        if until.tzinfo is None:
            raise ValueError("until must be an aware instant")
        super().__init__(reason)
        self.until = until
        self.reason = reason

    def __str__(self) -> str:
        return f"due at {self.until.isoformat()}: {self.reason}"


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """GitHub's permanent no: asking again does not help until a person changes something there.

    `status` is the HTTP status, `sentence` says what was refused and how to mend it.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence

    def __str__(self) -> str:
        return f"{self.status}: {self.sentence}"


class CallerRefused(Exception):  # noqa: N818 - an answer, not a fault
    """Whoever asks may not: an HTTP status, a code for machines and a sentence for people."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code
        self.sentence = sentence
