"""What five real agents sent by OpenTelemetry, with their true usage.

Each folder of `tests/data/telemetry` holds the bodies of an agent's runs against a stand-in model API, and what that
served. Of records that are no usage one of each kind is kept. Every text in an attribute that we do not want reads
CANARY.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from app.core.telemetry.parts import Reading, SessionPart, ToldCall, Total
from app.core.telemetry.read import LOGS, METRICS, SPANS, read_logs, read_metrics, read_spans
from app.core.telemetry.told import Told
from app.core.usage import Tokens
from app.otlp import decode_logs, decode_metrics, decode_traces

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "telemetry"
NOW = datetime(2026, 11, 27, tzinfo=UTC)
CANARY = "CANARY"
# Agents that do not tell how long their cache writes live.
LUMPED = {
    "claude-code-2.1.197-protobuf",
    "copilot-cli-1.0.102-json",
    "copilot-cli-1.0.102-protobuf",
}
Usage = dict[str, tuple[int, Tokens]]  # by model: calls, tokens


def samples() -> list[str]:
    return sorted(path.parent.name for path in SAMPLES.glob("*/EXPECTED.json"))


def bodies(sample: str) -> Iterator[tuple[str, bytes, bool]]:
    """The kind of each body, itself, and whether it is protobuf; in the order in which they came."""
    for path in sorted((SAMPLES / sample).glob("0*")):
        yield path.stem.partition("-")[2], path.read_bytes(), path.suffix == ".pb"


def told_of(kind: str, body: bytes, protobuf: bool) -> list[Told]:
    if kind == "logs":
        return decode_logs(body, LOGS, protobuf=protobuf)
    if kind == "metrics":
        return decode_metrics(body, METRICS, protobuf=protobuf)
    return decode_traces(body, SPANS, protobuf=protobuf)


def readings(sample: str) -> list[Reading]:
    read = {"logs": read_logs, "metrics": read_metrics, "traces": read_spans}
    return [read[kind](told_of(kind, body, protobuf), NOW) for kind, body, protobuf in bodies(sample)]


def parts(sample: str) -> list[SessionPart]:
    return [part for reading in readings(sample) for part in reading.parts]


def calls(of: Iterable[SessionPart]) -> list[ToldCall]:
    return [call for part in of for call in part.calls]


def usage(told: Iterable[ToldCall]) -> Usage:
    sums: dict[str, tuple[int, Tokens]] = defaultdict(lambda: (0, Tokens()))
    for each in told:
        number, tokens = sums[each.call.model]
        sums[each.call.model] = number + 1, tokens + each.call.tokens
    return dict(sums)


def expected(sample: str) -> Usage:
    """What the stand-in API served, as far as the agent's telemetry can tell it."""
    truth = json.loads((SAMPLES / sample / "EXPECTED.json").read_text(encoding="utf-8"))["per_model"]
    served = {model: (of.pop("responses"), Tokens(**of)) for model, of in truth.items()}
    return {model: (number, lumped(of) if sample in LUMPED else of) for model, (number, of) in served.items()}


def lumped(tokens: Tokens) -> Tokens:
    written = tokens.cache_write_5m + tokens.cache_write_1h + tokens.cache_write_other
    return tokens._replace(cache_write_5m=0, cache_write_1h=0, cache_write_other=written)


def counted_by(totals: Iterable[Total]) -> dict[tuple[str, str], int]:
    """What the agent's own counters say, by model and kind: the largest of each series since each start, summed."""
    largest: dict[tuple[str, str, str, int], int] = {}
    for total in totals:
        key = (total.model, total.kind, total.series, total.start_us)
        largest[key] = max(largest.get(key, 0), total.value)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for (model, kind, _, _), value in largest.items():
        sums[model, kind] += value
    return dict(sums)
