"""Texts from outside, for a terminal or a log: one line each, without control characters."""


def one_line(text: str) -> str:
    """The text with a space in place of every character that cannot be printed."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
