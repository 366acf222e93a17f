"""The hidden mark by which the App finds what it wrote. It says what a text is for, and is never read as data."""

from enum import StrEnum


class Kind(StrEnum):
    COMMENT = "comment"  # target: repository id, pull number
    SUMMARY = "summary"  # target: account id, month as yyyymm
    ANSWER = "answer"  # target: repository id, pull number, the id of the comment with the command
    STATEMENT = "statement"  # target: account id, month as yyyymm, the statement's number in it
    NOTICE = "notice"  # below a statement. Target: as the statement's, version, days (0: the version itself)
    JOB = "job"  # of the Action alone. Target: repository id, pull number, a number for the workflow and job


def marker(kind: Kind, *target: int) -> str:
    """An HTML comment, e.g. "<!-- mergemeter:comment:1296269:17 -->".

    Finding it is no proof of ownership: whoever searches also compares the author's id. Names are not part of it
    because they change and come from outside.
    """
    return f"<!-- mergemeter:{':'.join([kind, *map(str, target)])} -->"
