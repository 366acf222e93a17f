"""Adjustments that a person enters: what one cost center pays in another's place, or a credit that has a name. Pure.

Money never comes from nowhere: a transfer sums to zero, and a credit names where it is from.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.money import NANO_PER_USD, NanoUsd
from app.core.month import Month

LONGEST_TEXT = 300
AMOUNT = re.compile(r"(\d{1,9})(?:\.(\d{1,9}))?", re.ASCII)


class NoSuchAdjustmentError(ValueError):
    """What was asked is no adjustment; the message is a sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What a person asks for: `amount`, above zero, from one cost center's bill to another's, or off one as a credit.

    Either `giver` or `credit` is told.
    """

    original: Month
    to: str
    amount: NanoUsd
    reason: str
    evidence: str
    giver: str = ""
    credit: str = ""

    @property
    def amounts(self) -> Sequence[tuple[str, NanoUsd]]:
        """By cost center, what its next statement has more."""
        if self.credit:
            return ((self.to, NanoUsd(-self.amount)),)
        return ((self.giver, NanoUsd(-self.amount)), (self.to, self.amount))

    @property
    def told_reason(self) -> str:
        return f"{self.credit}: {self.reason}" if self.credit else self.reason

    @property
    def once(self) -> str:
        """What makes it the same adjustment when it is asked for again."""
        told = [str(self.original), self.amounts, self.told_reason, self.evidence]
        return "by hand:" + hashlib.sha256(json.dumps(told).encode()).hexdigest()


def amount_in(text: str) -> NanoUsd:
    """ "12.34" as nano-USD. Raises NoSuchAdjustmentError for anything but US dollars above zero."""
    found = AMOUNT.fullmatch(text)
    if text.startswith("-"):
        raise NoSuchAdjustmentError("An amount is above zero. For the other direction swap --from and --to.")
    if found is None:
        raise NoSuchAdjustmentError(f"{text!r} is not an amount: write US dollars as 12.34, with at most nine places.")
    amount = NanoUsd(int(found[1]) * NANO_PER_USD + int((found[2] or "").ljust(9, "0")))
    if not amount:
        raise NoSuchAdjustmentError("An adjustment of zero changes nothing; give an amount above it.")
    return amount


def check(asked: ByHand) -> None:
    """Raises NoSuchAdjustmentError for what cannot be one, whatever is in the books."""
    if bool(asked.giver) == bool(asked.credit):
        raise NoSuchAdjustmentError("Say --from for a transfer between cost centers, or --credit for a named credit.")
    if asked.giver == asked.to:
        raise NoSuchAdjustmentError("It would come from where it goes: --from and --to are the same cost center.")
    texts = {"--reason": asked.reason, "--evidence": asked.evidence}
    for option, told in texts.items():
        if not told or len(told) > LONGEST_TEXT:
            raise NoSuchAdjustmentError(f"Say {option}, in 1 to {LONGEST_TEXT} characters: the statement shows it.")
