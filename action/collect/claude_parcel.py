"""A transcript that was read, as plain values that another process can be handed, and back."""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from typing import Any

from .calls import Call
from .claude_lines import CostState, Transcript
from .files import LogFile
from .shape import Step

_values = attrgetter(*Call.__slots__)


def pack(made: Transcript) -> dict[str, Any]:
    """Everything but the file and what only reading needs."""
    fields = dict(vars(made))
    del fields["file"], fields["latest"]
    fields["calls"] = [(key, _values(call)) for key, call in made.calls.items()]
    fields["costs"] = [(cost.after_us, cost.offset, str(cost.total), cost.tokens) for cost in made.costs]
    fields["steps"] = ([tuple(step) for step in made.steps.made], made.steps.failed)
    return fields


def unpack(file: LogFile, fields: dict[str, Any]) -> Transcript:
    """The transcript of this file again."""
    made = Transcript(file)
    calls, costs, (steps, failed) = fields.pop("calls"), fields.pop("costs"), fields.pop("steps")
    vars(made).update(fields)
    made.calls = {key: _call(values) for key, values in calls}
    made.costs = [CostState(after_us, offset, Decimal(total), tokens) for after_us, offset, total, tokens in costs]
    made.steps.made = [Step(*step) for step in steps]
    made.steps.failed = failed
    return made


def _call(values: tuple[Any, ...]) -> Call:
    call = Call.__new__(Call)
    for name, value in zip(Call.__slots__, values):
        setattr(call, name, value)
    return call
