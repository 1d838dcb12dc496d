"""A table that a migration found in the database: its columns, and the statements that change it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

_COLUMNS: Final = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef OR a.attidentity <> ''
FROM pg_attribute a WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
"""
_NO_UUID: Final = "{0}::text !~ '^[0-9a-fA-F]{{8}}(-[0-9a-fA-F]{{4}}){{3}}-[0-9a-fA-F]{{12}}$'"
#: Type as it should be → beginning of the type that is there → expression that converts it.
_CONVERSIONS: Final = {
    "UUID": {"text": "{0}::uuid", "character": "{0}::text::uuid"},
    "TEXT": {"character": "{0}::text"},
    # The session's time zone is UTC.
    "TIMESTAMP WITH TIME ZONE": {"timestamp": "{0}::timestamptz"},
}


class ExistingColumn(NamedTuple):
    """One column as it is."""

    name: str
    type: str
    required: bool
    has_default: bool


class ExistingTable:
    """The table, with its columns by name.

    Every method that returns a text returns the reason why the rows do not allow the change, or ``None``.
    """

    def __init__(self, connection: sa.Connection, table: str, oid: int) -> None:
        self._connection = connection
        self.oid = oid
        self._name = self.quote(table)
        self.run(f"LOCK TABLE {self._name} IN ACCESS EXCLUSIVE MODE")
        rows = connection.execute(sa.text(_COLUMNS), {"oid": oid})
        self.columns = {row[0]: ExistingColumn(*row) for row in rows}

    def quote(self, name: str) -> str:
        """An identifier in SQL, for :meth:`run`."""
        return '"{}"'.format(name.replace('"', '""'))

    def run(self, statement: str) -> sa.CursorResult[Any]:
        """Run a statement without parameters."""
        return self._connection.execute(sa.text(statement.replace(":", "\\:")))

    def alter(self, change: str) -> None:
        """Run ``ALTER TABLE``."""
        self.run(f"ALTER TABLE {self._name} {change}")

    def count(self, condition: str) -> int:
        """Count the rows under a condition."""
        return int(self.run(f"SELECT count(*) FROM {self._name} WHERE {condition}").scalar_one())  # noqa: S608

    def repeated_ids(self) -> int:
        """Count the rows whose id another row has."""
        return int(self.run(f"SELECT count(*) - count(DISTINCT id) FROM {self._name}").scalar_one())  # noqa: S608

    def forget_comments(self) -> None:
        """Remove the comment of the table and those of its columns."""
        self.run(f"COMMENT ON TABLE {self._name} IS NULL")
        for name in self.columns:
            self.run(f"COMMENT ON COLUMN {self._name}.{self.quote(name)} IS NULL")

    def add(self, column: sa.Column[Any]) -> str | None:
        """Add a column."""
        if not column.nullable and column.server_default is None and self.count("true"):
            return f"the column {column.name} is missing, and rows need a value in it"
        specification = CreateColumn(column).compile(dialect=self._connection.dialect)
        self.alter(f"ADD COLUMN {specification}")
        return None

    def adjust(self, column: sa.Column[Any]) -> str | None:
        """Give a column its type, its default and its ``NOT NULL``."""
        found, name = self.columns[column.name], self.quote(column.name)
        if found.has_default:
            self.alter(f"ALTER {name} DROP DEFAULT")
        if (reason := self._convert(column, found)) is not None:
            return reason
        if column.server_default is not None:
            assert isinstance(column.server_default, sa.DefaultClause)
            self.alter(f"ALTER {name} SET DEFAULT {column.server_default.arg}")
        if column.nullable and found.required:
            self.alter(f"ALTER {name} DROP NOT NULL")
        elif not column.nullable and not found.required:
            if empty := self.count(f"{name} IS NULL"):
                return f"the column {column.name} is null in {empty} rows"
            self.alter(f"ALTER {name} SET NOT NULL")
        return None

    def _convert(self, column: sa.Column[Any], found: ExistingColumn) -> str | None:
        wanted, name = column.type.compile(self._connection.dialect), self.quote(column.name)
        if found.type.upper() == wanted:
            return None
        conversions = _CONVERSIONS[wanted].items()
        conversion = next((sql for start, sql in conversions if found.type.startswith(start)), None)
        if conversion is None:
            return f"the column {column.name} has the type {found.type}, not {wanted.lower()}"
        if wanted == "UUID" and (broken := self.count(_NO_UUID.format(name))):
            return f"the column {column.name} has {broken} values that are not UUIDs"
        self.alter(f"ALTER {name} TYPE {wanted} USING {conversion.format(name)}")
        return None
