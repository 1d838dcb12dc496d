"""The file ``customer_activities.csv``."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any, Final

from bench.legacy import rates, values
from bench.legacy.csv_file import CsvFile
from bench.legacy.external_links import ExternalLinks
from bench.legacy.population import Customer, Population
from bench.legacy.tally import Tally

_COLUMNS: Final = (
    "id", "organization_id", "tenant_id", "activity_type", "subject", "body", "occurred_at", "author_user_id",
    "appearance_icon", "appearance_color", "created_at", "updated_at", "entity_id", "deal_id", "import_batch",
)  # fmt: skip
_ENTITY: Final = _COLUMNS.index("entity_id")


class Activities:
    """Activities of all kinds of dirt, counted.

    :param tenants: counts the rows that can be imported, by tenant.
    """

    def __init__(self, random: Random, population: Population, links: ExternalLinks, tenants: Tally) -> None:
        self._random = random
        self._population = population
        self._links = links
        self._tenants = tenants
        self._repeatable: list[Any] | None = None
        self.tally = Tally()

    def write(self, folder: Path, number: int) -> None:
        """Write the file."""
        random, tally = self._random, self.tally
        with CsvFile(folder / "customer_activities.csv", _COLUMNS) as file:
            while file.rows < number:
                customer = self._population.draw()
                if random.random() < rates.REPEATED_ROW * 2:
                    self._repeat(file, customer)
                    continue
                if broken := rates.BROKEN.draw(random):
                    file.add(self._broken(customer, broken))
                    tally.count(broken)
                    continue
                row, encoding = self._row(customer)
                file.add(row, encoding=encoding)
                self._tenants.count(customer.scope.tenant_id)
                if random.random() < rates.ACTIVITY_LINKED:
                    self._links.add(customer.scope, row[0].lower())
                    tally.count("external_link")
            tally.add("rows", file.rows)

    def _repeat(self, file: CsvFile, customer: Customer) -> None:
        """Write a row that is repeated later, or repeat one."""
        if self._repeatable is None:
            self._repeatable = self._clean(customer)
            file.add(self._repeatable)
            self._tenants.count(customer.scope.tenant_id)
        else:
            file.add(self._repeatable)
            self._repeatable = None
            self.tally.count("repeated_row")

    def _row(self, customer: Customer) -> tuple[list[Any], str]:
        random, tally = self._random, self.tally
        form = rates.ROW.draw(random)
        kind = rates.TYPE.draw(random)
        title = "" if form == "cp1252" else rates.TITLE.draw(random)
        # A type that becomes a line of the body changes it alone.
        body = "" if form == "nul" or kind == "type_without_letters" else rates.BODY.draw(random)
        color, icon = rates.COLOR.draw(random), rates.ICON.draw(random)
        for found in (form, kind, title, body, color, icon):
            tally.count(found)
        created, updated, occurred = self._dates()
        identity = values.new_id(random)
        users = customer.scope.users
        entity_id = self._population.entity_id(customer, tally)
        row = [
            identity.upper() if form == "upper_case_id" else identity,
            customer.scope.organization_id,
            customer.scope.tenant_id,
            values.interaction_type(random, kind),
            values.title(random, title, form),
            values.body(random, body, form),
            occurred,
            users[int(random.random() * len(users))] if random.random() < 0.8 else "",
            values.icon(random, icon),
            values.color(random, color),
            created,
            updated,
            entity_id,
            self._deal(customer) if entity_id == customer.id else "",
            "1",
        ]
        return row, "cp1252" if form == "cp1252" else "utf-8"

    def _dates(self) -> tuple[Any, Any, Any]:
        random = self._random
        moment = values.instant(random)
        created: Any = moment
        updated: Any = values.later(random, moment, 60)
        occurred: Any = values.later(random, moment, 14)
        kind = rates.CREATED.draw(random)
        if kind == "updated_at_null":
            updated = ""
        elif kind:
            created = values.bad_date(random, kind)
            if kind == "created_at_future":
                updated = created
        when = rates.OCCURRED.draw(random)
        if when:
            occurred = values.bad_date(random, when)
        self.tally.count(kind)
        self.tally.count(when)
        return created, updated, occurred

    def _deal(self, customer: Customer) -> str:
        kind = rates.DEAL.draw(self._random)
        self.tally.count(kind)
        if kind == "deal_of_other_customer":
            return self._population.deal_of_another(customer)
        if kind == "deal_unknown":
            return values.new_id(self._random)
        return customer.deals[0] if customer.deals and self._random.random() < 0.3 else ""

    def _broken(self, customer: Customer, kind: str) -> list[Any]:
        row = self._clean(customer)
        row[_ENTITY if kind == "broken_entity_id" else 0] = (
            "" if kind == "no_id" else values.broken_id(self._random)
        )
        return row

    def _clean(self, customer: Customer) -> list[Any]:
        moment = values.instant(self._random)
        scope = customer.scope
        return [
            values.new_id(self._random), scope.organization_id, scope.tenant_id, "call", "Call",
            "Nothing to note.", moment, "", "phone", "#2563EB", moment, moment, customer.id, "", "1",
        ]  # fmt: skip
