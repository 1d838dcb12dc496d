"""The files ``customer_todo_links.csv`` and ``todos.csv``."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, Final

from bench.legacy import rates, values
from bench.legacy.csv_file import CsvFile
from bench.legacy.external_links import ExternalLinks
from bench.legacy.population import Customer, Population
from bench.legacy.tally import Tally
from bench.legacy.todo_records import COLUMNS, TodoRecords

_LINK_COLUMNS: Final = (
    "id", "organization_id", "tenant_id", "todo_id", "todo_source", "created_at", "created_by_user_id",
    "entity_id",
)  # fmt: skip
_SOURCES: Final = ("example:todo",) * 9 + ("planner:task",)
_DEAD_SOURCE: Final = "oldboard:card"
#: Todos that a later link may repeat or share: each once, so that the counts are plain.
_MOST_WAITING: Final = 10_000

_Waiting = tuple[Customer, str, str]


class Todos:
    """Todo links and the records behind them, counted.

    :param tenants: counts the links that can be imported, by tenant.
    """

    def __init__(self, random: Random, population: Population, links: ExternalLinks, tenants: Tally) -> None:
        self._random = random
        self._population = population
        self._links = links
        self._tenants = tenants
        self._waiting: list[_Waiting] = []
        self.tally = Tally()
        self.records = TodoRecords(random)

    def write(self, folder: Path, number: int) -> None:
        """Write both files.

        :param number: rows of links; the number of todos follows from it.
        """
        with (
            CsvFile(folder / "customer_todo_links.csv", _LINK_COLUMNS) as links,
            CsvFile(folder / "todos.csv", COLUMNS) as todos,
        ):
            while links.rows < number:
                customer = self._population.draw()
                if broken := rates.BROKEN.draw(self._random):
                    self._broken(links, customer, broken)
                    continue
                kind = rates.LINK.draw(self._random)
                if kind and self._waiting:
                    self._repeat(links, kind)
                else:
                    self._new(links, todos, customer)
            self.tally.add("rows", links.rows)
            self.records.tally.add("rows", todos.rows)

    def _new(self, links: CsvFile, todos: CsvFile, customer: Customer) -> None:
        random = self._random
        missing = rates.TODO.draw(random)
        self.tally.count(missing)
        source = values.pick(random, _SOURCES) if missing != "dead_provider" else _DEAD_SOURCE
        todo_id = values.new_id(random)
        scope = customer.scope
        plain = False
        if missing == "broken_todo":
            self.records.add_broken(todos, scope, todo_id, source)
        elif not missing:
            plain = self.records.add(todos, scope, todo_id, source)
        if random.random() < rates.TODO_LINKED:
            self._links.add(scope, todo_id, source)
            self.tally.count("external_link")
        entity_id = self._population.entity_id(customer, self.tally)
        self._add(links, customer, entity_id, todo_id, source)
        if plain and entity_id == customer.id and len(self._waiting) < _MOST_WAITING:
            self._waiting.append((customer, todo_id, source))

    def _repeat(self, links: CsvFile, kind: str) -> None:
        """Link a todo a second time: to the same customer, or to another one of the organization."""
        index = int(self._random.random() * len(self._waiting))
        self._waiting[index], self._waiting[-1] = self._waiting[-1], self._waiting[index]
        customer, todo_id, source = self._waiting.pop()
        other = customer
        while kind == "shared_todo" and other is customer:
            customers = customer.scope.customers
            other = customers[int(self._random.random() * len(customers))]
        self._add(links, other, other.id, todo_id, source)
        self.tally.count(kind)

    def _add(self, links: CsvFile, customer: Customer, entity_id: str, todo_id: str, source: str) -> None:
        self._tenants.count(customer.scope.tenant_id)
        links.add(self._row(customer, entity_id, todo_id, source))

    def _row(self, customer: Customer, entity_id: str, todo_id: str, source: str) -> list[Any]:
        random, scope = self._random, customer.scope
        user = scope.users[int(random.random() * len(scope.users))]
        identity, created = values.new_id(random), values.instant(random)
        return [
            identity, scope.organization_id, scope.tenant_id, todo_id, source, created, user, entity_id,
        ]  # fmt: skip

    def _broken(self, links: CsvFile, customer: Customer, kind: str) -> None:
        row = self._row(customer, customer.id, values.new_id(self._random), "example:todo")
        column = _LINK_COLUMNS.index("entity_id" if kind == "broken_entity_id" else "id")
        row[column] = "" if kind == "no_id" else values.broken_id(self._random)
        links.add(row)
        self.tally.count(kind)
