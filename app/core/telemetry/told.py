"""What OpenTelemetry tells us, whichever encoding it came in: one log record, one metric point or one span at a time.

Owns which of it may be taken in at all: records by their names, and of these only plain values under known keys.
"""

from collections.abc import Container, Mapping
from typing import NamedTuple

Scalar = str | int | float | bool


class Wanted(NamedTuple):
    """What to take of a request: everything else in it may be a prompt, a command or its output."""

    names: Container[str]  # of log events, metrics or spans
    keys: frozenset[str]  # of attributes, of records and resources alike


class Told(NamedTuple):
    """One log record, one metric data point or one span. Only wanted attributes, and of these no arrays and no maps."""

    name: str  # event name, metric name or span name
    resource: Mapping[str, Scalar]
    attributes: Mapping[str, Scalar]
    scope: str  # the instrumentation scope's name
    at_us: int  # microseconds since 1970: of a record or point its time, of a span its end; 0 where not told
    start_us: int = 0  # of a point, since when it counts; of a span its start
    value: int | float | None = None  # of a point; of a histogram its sum
    series: str = ""  # of a point: a hash of all that tells its series apart, attributes that are not wanted included
