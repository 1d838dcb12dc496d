"""Customers and deals of several tenants, and the files that describe them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from bench.legacy.csv_file import CsvFile
from bench.legacy.rates import CUSTOMER
from bench.legacy.tally import Tally
from bench.legacy.values import new_id

#: Shares of the customers, by tenant; each tenant has two organizations, of 80 % and 20 %.
_TENANT_SHARES: Final = (0.7, 0.2, 0.07, 0.025, 0.005)
_ORGANIZATION_SHARES: Final = (0.8, 0.2)
_USERS: Final = 20
_PER_CUSTOMER: Final = 20
_FEWEST_PER_SCOPE: Final = 2
_ENTITY_COLUMNS: Final = (
    "id", "tenant_id", "organization_id", "kind", "display_name", "primary_email", "primary_phone",
    "owner_user_id", "deleted_at",
)  # fmt: skip
_DEAL_COLUMNS: Final = ("id", "tenant_id", "organization_id", "title", "status", "deleted_at")


@dataclass(frozen=True, slots=True)
class Scope:
    """An organization of a tenant, and its users."""

    tenant_id: str
    organization_id: str
    users: tuple[str, ...]
    customers: list[Customer] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Customer:
    """A person or company that has a row."""

    scope: Scope
    id: str
    kind: str
    deals: list[str] = field(default_factory=list)


class Population:
    """The customers that activities and todos refer to.

    :param activities: number of activities, which sets the number of customers.
    """

    def __init__(self, random: Random, activities: int) -> None:
        self._random = random
        self.scopes = []
        for share in _TENANT_SHARES:
            tenant_id = new_id(random)
            for part in _ORGANIZATION_SHARES:
                users = tuple(new_id(random) for _ in range(_USERS))
                scope = Scope(tenant_id, new_id(random), users)
                self.scopes.append(scope)
                number = max(_FEWEST_PER_SCOPE, round(activities / _PER_CUSTOMER * share * part))
                for _ in range(number):
                    kind = "person" if random.random() < 0.7 else "company"
                    scope.customers.append(Customer(scope, new_id(random), kind))
        self.customers = [customer for scope in self.scopes for customer in scope.customers]
        random.shuffle(self.customers)
        # One customer in four has a deal, two at least.
        self._with_deals = self.customers[: max(2, len(self.customers) // 4)]
        for customer in self._with_deals:
            customer.deals.append(new_id(random))
        pool = max(1, len(self.customers) // 100)
        self._absent = {
            kind: {id(scope): [new_id(random) for _ in range(pool)] for scope in self.scopes}
            for kind in ("unknown_customer", "deleted_customer")
        }
        self.used: dict[str, set[str]] = {kind: set() for kind in self._absent}

    def draw(self) -> Customer:
        """Draw a customer; some have far more rows than others."""
        return self.customers[int(self._random.random() ** 2 * len(self.customers))]

    def entity_id(self, customer: Customer, tally: Tally) -> str:
        """Id of the customer, or of one that was deleted or never was there."""
        kind = CUSTOMER.draw(self._random)
        if not kind:
            return customer.id
        tally.count(kind)
        ids = self._absent[kind][id(customer.scope)]
        chosen = ids[int(self._random.random() * len(ids))]
        self.used[kind].add(chosen)
        return chosen

    def deal_of_another(self, customer: Customer) -> str:
        """A deal that belongs to another customer."""
        while True:
            owner = self._with_deals[int(self._random.random() * len(self._with_deals))]
            if owner is not customer:
                return owner.deals[0]

    def write(self, folder: Path) -> dict[str, Tally]:
        """Write the people, companies and deals; count them by file."""
        entities, deals = Tally(), Tally()
        with CsvFile(folder / "customer_entities.csv", _ENTITY_COLUMNS) as file:
            for number, customer in enumerate(self.customers):
                scope = customer.scope
                name = f"{customer.kind.capitalize()} {number}"
                address = f"{customer.kind}{number}@example.test" if number % 3 else None
                owner = scope.users[number % _USERS] if number % 2 else None
                row = (customer.id, scope.tenant_id, scope.organization_id, customer.kind, name, address)
                file.add((*row, None, owner, None))
                entities.count(customer.kind)
            for scope in self.scopes:
                for identity in self._absent["deleted_customer"][id(scope)]:
                    row = (identity, scope.tenant_id, scope.organization_id, "person", "Deleted", None)
                    file.add((*row, None, None, "2023-04-01 12:00:00+00"))
                    entities.count("deleted")
            entities.add("rows", file.rows)
        links = {
            "person": ("customer_deal_people.csv", "person_entity_id"),
            "company": ("customer_deal_companies.csv", "company_entity_id"),
        }
        with CsvFile(folder / "customer_deals.csv", _DEAL_COLUMNS) as file:
            for number, customer in enumerate(self._with_deals):
                scope = customer.scope
                for deal in customer.deals:
                    status = ("open", "won", "lost")[number % 3]
                    file.add((deal, scope.tenant_id, scope.organization_id, f"Deal {number}", status, None))
            deals.add("rows", file.rows)
        for kind, (name, column) in links.items():
            with CsvFile(folder / name, ("deal_id", column)) as file:
                for customer in self._with_deals:
                    if customer.kind == kind:
                        for deal in customer.deals:
                            file.add((deal, customer.id))
                            deals.count(f"of_{kind}")
        return {"customer_entities": entities, "customer_deals": deals}
