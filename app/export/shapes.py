"""Values of the core as columns of Arrow: what repeats becomes a dictionary, numbers are decimals."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from app.core.focus.columns import COST_SCALE, SCALE, Column, Kind

DIGITS = 38
TEXTS = pa.dictionary(pa.int32(), pa.string())
TYPES = {
    Kind.TEXT: TEXTS,
    Kind.JSON: TEXTS,
    Kind.TIME: pa.timestamp("us", tz="UTC"),
    Kind.FLAG: pa.bool_(),
}
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def schema_of(columns: Sequence[Column]) -> Any:
    """The schema of some columns."""
    return pa.schema([(each.name, TYPES.get(each.kind) or pa.decimal128(DIGITS, scale_of(each))) for each in columns])


def scale_of(column: Column) -> int:
    """In which decimal of a dollar, or of a unit, a number is."""
    return COST_SCALE if column.is_cost else SCALE


def of_values(column: Column, values: Sequence[Any]) -> Any:
    """A column of values: integers of the column's scale, times as FOCUS writes them, texts, flags."""
    if column.kind is Kind.NUMBER:
        return decimals(values, DIGITS, scale_of(column))
    return pa.array(values, pa.bool_() if column.kind is Kind.FLAG else pa.string())


def as_batch(schema: Any, arrays: Sequence[Any]) -> Any:
    """A batch of a schema; texts become times and dictionaries where it says so."""
    pairs = zip(arrays, schema, strict=True)
    cast = [array if array.type == each.type else _cast(array, each.type) for array, each in pairs]
    return pa.RecordBatch.from_arrays(cast, schema=schema)


def plain(columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> Any:
    """A batch of rows that are few."""
    return as_batch(schema_of(columns), [of_values(each, [row.get(each.name) for row in rows]) for each in columns])


def _cast(array: Any, wanted: Any) -> Any:
    if pa.types.is_dictionary(wanted):
        return array.dictionary_encode().cast(wanted)
    if pa.types.is_timestamp(wanted):
        return pc.strptime(array, format=TIME_FORMAT, unit="us").cast(wanted)
    return array.cast(wanted)


def decimals(values: Sequence[Any], digits: int, scale: int) -> Any:
    """Integers as decimals of so many places."""
    exact = [None if value is None else Decimal(f"{value}E-{scale}") for value in values]
    return pa.array(exact, pa.decimal128(digits, scale))


def rescaled(whole: Any, scale: int) -> Any:
    """Whole numbers as decimals of so many places: the very same bytes."""
    kind = pa.decimal128(whole.type.precision, scale)
    return pa.Array.from_buffers(kind, len(whole), whole.buffers(), whole.null_count, whole.offset)


def chosen(cells: Sequence[str | None], places: Any) -> Any:
    """A dictionary column: for each place its cell. No dictionary holds a null."""
    distinct = {cell: None for cell in cells if cell is not None}
    number = {cell: place for place, cell in enumerate(distinct)}
    found = pa.array([None if cell is None else number[cell] for cell in cells], pa.int32())
    return pa.DictionaryArray.from_arrays(found.take(places), pa.array(list(distinct), pa.string()))
