"""A sum as people check it: its parts under each other, exact, and whether they add up. Plain text for a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.core.money import NanoUsd, usd
from app.core.report.numbers import count

UNKNOWN = "unknown"
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a sum. `amount` is None where nobody knows it: it is in no sum, and never 0."""

    label: str
    amount: NanoUsd | None


@dataclass(frozen=True, slots=True)
class Sum:
    """A number and what it is made of. `noun`: what a part is. Labels are plain text of one line each."""

    title: str
    total: NanoUsd | None
    parts: tuple[Part, ...]
    noun: str
    plural: str = ""
    notes: tuple[str, ...] = ()

    @property
    def off(self) -> NanoUsd:
        """What the parts have more than the total; 0 where they add up."""
        return NanoUsd(sum(part.amount or 0 for part in self.parts) - (self.total or 0))


def exact_text(amount: NanoUsd | None) -> str:
    """ "$3.20", "$0.0225", "$0.000000001": every digit that there is, so that columns add up; "unknown" for None."""
    if amount is None:
        return UNKNOWN
    value = abs(usd(amount))
    shown = value.quantize(CENT) if value == value.quantize(CENT) else value.normalize()
    return f"{'−' if amount < 0 else ''}${shown:,f}"


def sum_lines(told: Sum, most: int | None = None) -> Iterator[str]:
    """The sum in lines: the dearest parts, at most so many, what the others come to, and whether it all adds up."""
    yield f"{told.title}: {exact_text(told.total)}"
    shown = _dearest(told, most)
    result = f"{count(len(told.parts), told.noun, told.plural)}: {_verdict(told)}"
    rows = [*((exact_text(part.amount), part.label) for part in shown), (exact_text(told.total), result)]
    width = max(len(amount) for amount, _ in rows)
    yield from (f"  {amount:>{width}}  {label}" for amount, label in rows[:-1])
    if told.parts:
        yield f"  {'-' * width}"
        yield f"  {rows[-1][0]:>{width}}  {result}"
    yield from (f"  {note}" for note in told.notes)


def _dearest(told: Sum, most: int | None) -> Sequence[Part]:
    ordered = sorted(told.parts, key=lambda part: -(part.amount or 0))
    if most is None or len(ordered) <= most:
        return ordered
    others = ordered[most:]
    amount = NanoUsd(sum(part.amount or 0 for part in others))
    return [*ordered[:most], Part(f"… {len(others):,} more", amount)]


def _verdict(told: Sum) -> str:
    unknown = sum(part.amount is None for part in told.parts)
    beside = f"; {unknown:,} of unknown cost beside it" if unknown else ""
    return f"DOES NOT ADD UP, off by {exact_text(told.off)}" if told.off else f"adds up{beside}"
