"""Reads a delivered dataset by DuckDB, as anybody would."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb


def rows_of(folder: Path, kind: str, name: str = "cost-and-usage") -> list[dict[str, Any]]:
    """The rows as they are: of CSV every cell as text, of Parquet by its type."""
    connection = duckdb.connect()
    file = str(folder / f"{name}.{kind}")
    relation = connection.read_csv(file, all_varchar=True) if kind == "csv" else connection.read_parquet(file)
    names = relation.columns
    return [dict(zip(names, row, strict=True)) for row in relation.fetchall()]


def number(value: Any) -> Decimal:
    return Decimal(value)


def asked(folder: Path, kind: str, query: str) -> list[tuple[Any, ...]]:
    """What a query says; `{rows}`, `{pulls}` and `{unpriced}` in it stand for the files."""
    read = "read_csv('{}', sample_size=-1)" if kind == "csv" else "read_parquet('{}')"
    names = {"rows": "cost-and-usage", "pulls": "pulls", "unpriced": "unpriced"}
    files = {each: read.format(folder / f"{name}.{kind}") for each, name in names.items()}
    return duckdb.connect().sql(query.format(**files)).fetchall()
