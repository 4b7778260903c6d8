"""Views of a source's database: reached read-only, with a limit for each statement, and their
cells as text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.event import listens_for
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError

from healthhub.errors import SettingError
from healthhub.mapping.definition import Table
from healthhub.mapping.tables import Columns
from healthhub.settings import Database

PARENTS = 100
"""Keys in one statement that asks for children."""
_AT_START = {
    "postgresql": ("set default_transaction_read_only = on", "set statement_timeout = {ms}"),
    "mysql": ("set session transaction read only", "set session max_execution_time = {ms}"),
    "mariadb": ("set session transaction read only", "set session max_statement_time = {s}"),
    "sqlite": ("pragma query_only = on", "pragma busy_timeout = {ms}"),
    "oracle": ("alter session set isolation_level = read committed",),
    "mssql": ("set lock_timeout {ms}", "set transaction isolation level read committed"),
}
"""What each session begins with. Oracle and SQL Server have no session that only reads: there
the account that the address names must hold no more than SELECT (docs/operations.md)."""


def engine(database: Database) -> sa.Engine:
    """An engine with one connection; a SettingError when the address or its driver is wrong."""
    try:
        made = sa.create_engine(
            database.address, pool_size=1, max_overflow=0, pool_pre_ping=True
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise SettingError(
            f"database.url cannot be used ({type(error).__name__}); write it as "
            "mysql+pymysql://, oracle+oracledb://, mssql+pymssql:// or postgresql+psycopg://, "
            "and install its driver: pip install healthhub[mysql] (oracle, mssql)",
            expression="database.url",
        ) from None
    milliseconds = database.timeout_seconds * 1000

    @listens_for(made, "connect")
    def begin(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for statement in _AT_START.get(made.dialect.name, ()):
            cursor.execute(statement.format(ms=milliseconds, s=database.timeout_seconds))
        cursor.close()
        if made.dialect.name == "oracle":
            connection.call_timeout = milliseconds
        if hasattr(connection, "commit"):
            connection.commit()

    return made


@dataclass(frozen=True, slots=True)
class View:
    """A view as the source's database describes it, and the table of the mapping that it is."""

    columns: Columns
    selectable: sa.Table
    named: Mapping[str, sa.Column[Any]]
    charset: str = "utf-8"

    def read(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row with text where a column of text came as bytes: so a database hands out what
        it does not know the charset of (a column of MySQL in binary, bytes that SQLite holds)."""
        return {
            name: decoded(value, self.charset)
            if isinstance(value, bytes) and isinstance(self._type(name), sa.String)
            else value
            for name, value in row.items()
        }

    def _type(self, name: str) -> Any:
        return self.selectable.columns[name].type

    @property
    def table(self) -> Table:
        """The table of the mapping."""
        return self.columns.table

    @property
    def change(self) -> sa.Column[Any] | None:
        """The column by which changes are found."""
        return self.named.get(self.table.changed or self.table.at)


def view(
    connection: sa.Connection, columns: Columns, name: str, charset: str = "utf-8"
) -> View:
    """The view of a table; a SettingError when it is not there or lacks a column."""
    schema, _, plain_name = name.rpartition(".")
    try:
        found = sa.Table(
            plain_name, sa.MetaData(), autoload_with=connection, schema=schema or None
        )
    except NoSuchTableError:
        raise SettingError(
            f"the database has no view {name} (or this account may not read it); "
            f"set database.views.{columns.table.name}",
            expression=f"database.views.{columns.table.name}",
        ) from None
    named = {columns.column(column.name): column for column in found.columns}
    table = columns.table
    wanted = {*table.key, *table.row, *table.on, table.patient, table.at, table.changed} - {""}
    missing = sorted(wanted - named.keys())
    if missing:
        raise SettingError(
            f"the view {name} has no column {', '.join(missing)}; state its heading under "
            f"`columns` of table {table.name} in the mapping",
            expression=f"database.views.{table.name}",
        )
    return View(columns, found, named, charset)


def rows(
    connection: sa.Connection, of: View, since: Any, batch: int
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Rows in order of change, from ``since`` on (None: all), a batch at a time, streamed."""
    statement = sa.select(of.selectable)
    if of.change is not None:
        if since is not None:
            statement = statement.where(of.change >= since)
        statement = statement.order_by(of.change)
    yield from _streamed(connection, of, statement, batch)


def unstamped(
    connection: sa.Connection, of: View, batch: int
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """The rows that no cursor finds: those without a time of change."""
    statement = sa.select(of.selectable)
    if of.change is not None:
        statement = statement.where(of.change.is_(None))
    order = [of.named[column] for column in of.table.key]
    yield from _streamed(connection, of, statement.order_by(*order), batch)


def count(connection: sa.Connection, of: View, since: Any) -> int:
    """How many rows there are from ``since`` on (None: all), with those without a time."""
    statement = sa.select(sa.func.count()).select_from(of.selectable)
    if of.change is not None and since is not None:
        statement = statement.where(sa.or_(of.change >= since, of.change.is_(None)))
    return connection.execute(statement).scalar_one()


def latest(connection: sa.Connection, of: View) -> Mapping[str, Any] | None:
    """The last value of the column of change; None where no row has one."""
    assert of.change is not None  # noqa: S101 - asked by the caller
    value = connection.execute(sa.select(sa.func.max(of.change))).scalar()
    return None if value is None else of.read({of.change.name: value})


def every_row(
    connection: sa.Connection, of: View, batch: int
) -> Iterator[Sequence[Mapping[str, Any]]]:
    """All rows, those without a time of change too, in the order of their keys."""
    order = [of.named[column] for column in of.table.key]
    yield from _streamed(connection, of, sa.select(of.selectable).order_by(*order), batch)


def matching(
    connection: sa.Connection,
    of: View,
    on: Sequence[str],
    keys: Sequence[tuple[Any, ...]],
) -> list[Mapping[str, Any]]:
    """The rows that have one of some keys, in the view's own order of keys."""
    found: list[Mapping[str, Any]] = []
    order = [of.named[column] for column in of.table.key]
    for start in range(0, len(keys), PARENTS):
        chosen = keys[start : start + PARENTS]
        columns = [of.named[column] for column in on]
        where = (
            columns[0].in_([key[0] for key in chosen])
            if len(columns) == 1
            else sa.or_(
                *(
                    sa.and_(*(c == part for c, part in zip(columns, key, strict=True)))
                    for key in chosen
                )
            )
        )
        statement = sa.select(of.selectable).where(where).order_by(*order)
        found += [of.read(row._asdict()) for row in connection.execute(statement)]
    return found


def _streamed(
    connection: sa.Connection, of: View, statement: sa.Select[Any], batch: int
) -> Iterator[Sequence[Mapping[str, Any]]]:
    result = connection.execution_options(yield_per=batch).execute(statement)
    with contextlib.closing(result):
        for part in result.mappings().partitions(batch):
            yield [of.read(dict(row)) for row in part]


def decoded(raw: bytes, charset: str) -> str:
    """Text that came as bytes: UTF-8 if all of it is, as of files; else in the source's charset.
    What is in neither is marked (U+FFFD), and the adapter remarks upon it."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(charset, "replace")


def text(value: Any) -> str:
    """A cell as text: times in the form of ISO, numbers with the digits that they have."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode().rstrip()
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="auto")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    return str(value)


def cells(row: Mapping[str, Any]) -> dict[str, str]:
    """A row as a message keeps it: filled cells alone."""
    # names of columns come as SQLAlchemy's own kind of text
    return {str(name): said for name, value in row.items() if (said := text(value).strip())}


_FORMS = (
    "%Y%m%d%H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y%m%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d",
)


def earlier(value: Any, seconds: float, numbers: int) -> Any:
    """A value of the column of change, less the overlap, in the form that it has."""
    if isinstance(value, datetime):
        return value - timedelta(seconds=seconds)
    if isinstance(value, date):
        return value - timedelta(days=-(-seconds // 86400))
    if isinstance(value, (int, Decimal)):
        return value - numbers
    if isinstance(value, str):
        for form in _FORMS:
            with contextlib.suppress(ValueError):
                at = datetime.strptime(value.strip(), form)  # noqa: DTZ007 - as the source writes
                return (at - timedelta(seconds=seconds)).strftime(form)
    return value


def not_after(value: Any, now: datetime) -> Any:
    """A value of the column of change, but no later than now: one row dated 2099 must not hide
    all that come after it. ``now`` is the source's own time of day, without a zone."""
    if isinstance(value, datetime):
        limit = now.replace(tzinfo=value.tzinfo)
        return min(value, limit)
    if isinstance(value, date):
        return min(value, now.date())
    if isinstance(value, str):
        for form in _FORMS:
            with contextlib.suppress(ValueError):
                at = datetime.strptime(value.strip(), form)  # noqa: DTZ007 - as the source writes
                return min(at, now).strftime(form)
    return value


def packed(value: Any) -> str:
    """A value of the column of change as the cursor stores it, with its kind."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"t{value.isoformat()}"
    if isinstance(value, date):
        return f"d{value.isoformat()}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"b{bytes(value).hex()}"
    if isinstance(value, (int, Decimal)):
        return f"n{value}"
    return f"s{value}"


def unpacked(stored: str) -> Any:
    """The value again; None for an empty cursor."""
    kind, rest = stored[:1], stored[1:]
    match kind:
        case "":
            return None
        case "t":
            return datetime.fromisoformat(rest)
        case "d":
            return date.fromisoformat(rest)
        case "b":
            return bytes.fromhex(rest)
        case "n":
            return Decimal(rest) if "." in rest else int(rest)
        case _:
            return rest
