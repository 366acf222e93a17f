"""A charge of a model call in words: how many units at which price."""

from app.core.arithmetic import Line, dollars_per
from app.core.rates import Charge

PER = {Charge.WEB_SEARCH: (1_000, "thousand"), Charge.REQUEST: (1_000, "thousand")}


def charge_text(line: Line) -> str:
    """ "12,000 input × $3 per million"."""
    units, noun = PER.get(line.charge, (1_000_000, "million"))
    return f"{line.units:,} {line.charge.value.replace('_', ' ')} × ${dollars_per(line.rate, units)} per {noun}"
