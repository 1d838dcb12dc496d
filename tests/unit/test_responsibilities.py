"""SQL text and client construction stay in the packages that own them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("schemas", "domain", "runtime", "sinks", "streams", "connectors", "api", "web", "stack", "cli")

SQL_OWNERS = (
    "sinks/",
    "connectors/store/",
    "api/queries/",
    "cli/next_query.py",
    "runtime/postgres.py",
    "stack/postgres_server.py",  # administers the server that it runs
)
CLIENT_OWNERS = ("runtime/",)

SQL_TEXT = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|(CREATE|DROP|ALTER|LOCK)\s+TABLE)\b",
    re.DOTALL,
)
CLIENTS = frozenset({"Producer", "Consumer", "AdminClient", "SchemaRegistryClient", "AsyncConnectionPool"})


def modules(*owners: str) -> Iterator[tuple[str, ast.Module]]:
    for package in PRODUCT:
        for file in sorted((ROOT / package).rglob("*.py")):
            name = str(file.relative_to(ROOT))
            if not name.startswith(owners):
                yield name, ast.parse(file.read_text(encoding="utf-8"))


def sql_in(tree: ast.Module) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL_TEXT.search(node.value)
    ]


def clients_in(tree: ast.Module) -> list[int]:
    """Lines that call a client's class, or connect with psycopg."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (
            (isinstance(node.func, ast.Name) and node.func.id in CLIENTS)
            or (
                isinstance(node.func, ast.Attribute)
                and node.func.attr == "connect"
                and "psycopg" in ast.unparse(node.func)
            )
        )
    ]


def test_sql_is_written_by_its_owners_alone() -> None:
    found = [f"{name}:{line}" for name, tree in modules(*SQL_OWNERS) for line in sql_in(tree)]
    assert found == [], f"SQL belongs in {', '.join(SQL_OWNERS)}"


def test_clients_of_servers_are_made_in_runtime_alone() -> None:
    found = [f"{name}:{line}" for name, tree in modules(*CLIENT_OWNERS) for line in clients_in(tree)]
    assert found == [], "clients of Kafka, Postgres and the registry are made in runtime/"


@pytest.mark.parametrize(
    "text",
    [
        'run("SELECT id FROM customer")',
        'x = "insert"\ny = """DELETE\n FROM journal"""',
        'f"UPDATE t SET a = {b}"',
    ],
)
def test_sql_text_is_recognised(text: str) -> None:
    assert sql_in(ast.parse(text))


@pytest.mark.parametrize(
    "text", ["Producer({})", "psycopg.connect('x')", "psycopg.AsyncConnection.connect()"]
)
def test_client_construction_is_recognised(text: str) -> None:
    assert clients_in(ast.parse(text))
