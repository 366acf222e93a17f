"""Columns as all tables have them, and how constraints and indexes are named."""

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, MetaData, Text
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention


def integer(**options: Any) -> Any:
    """A 64-bit integer column; GitHub's ids and our amounts overflow 32 bits."""
    return Field(sa_type=BigInteger, **options)


def key_integer() -> Any:
    """An integer that is a part of the primary key and never counted up by the database."""
    return Field(sa_type=BigInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})


def long_text(default: str = "") -> Any:
    return Field(default=default, sa_type=Text)


def sequence() -> Any:
    """A key that the database counts up; on SQLite it is the row's own number, and costs no index."""
    kind = BigInteger().with_variant(Integer, "sqlite")
    return Field(default=None, sa_column=Column(kind, primary_key=True, autoincrement=True))
