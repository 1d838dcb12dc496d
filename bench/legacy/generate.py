"""Write an old installation as CSV files, and the truth about them as ``expected.json``."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from bench.legacy.activities import Activities
from bench.legacy.csv_file import CsvFile
from bench.legacy.dictionary import write_dictionary
from bench.legacy.external_links import COLUMNS, ExternalLinks
from bench.legacy.population import Population
from bench.legacy.tally import Tally
from bench.legacy.todos import Todos


def generate(folder: Path, *, activities: int, todos: int, seed: int) -> None:
    """Write the files; the same arguments give the same bytes.

    Nothing but customers is kept in memory. ``expected.json`` has the number of rows of each kind of dirt
    (``bench.legacy.rates``) by file, and the number of rows that can be imported by tenant.

    :param folder: created if it does not exist; files of the same names are replaced.
    :param activities: rows of ``customer_activities.csv``.
    :param todos: rows of ``customer_todo_links.csv``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)
    population = Population(random, activities)
    counts = population.write(folder)
    counts["customer_dictionary_entries"] = write_dictionary(folder, population.scopes)
    activity_tenants, link_tenants, links = Tally(), Tally(), Tally()
    with CsvFile(folder / "sync_external_id_mappings.csv", COLUMNS) as file:
        external = ExternalLinks(file)
        done = Activities(random, population, external, activity_tenants)
        done.write(folder, activities)
        linked = Todos(random, population, external, link_tenants)
        linked.write(folder, todos)
        links.add("rows", file.rows)
    counts |= {
        "customer_activities": done.tally,
        "customer_todo_links": linked.tally,
        "todos": linked.records.tally,
        "sync_external_id_mappings": links,
    }
    expected = {
        "seed": seed,
        "files": {name: tally.to_json() for name, tally in counts.items()},
        "tenants": {
            "customer_activities": activity_tenants.to_json(),
            "customer_todo_links": link_tenants.to_json(),
        },
        # Customers that rows refer to and that are not there: each becomes one placeholder.
        "customers": {kind: len(ids) for kind, ids in population.used.items()},
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=2) + "\n", encoding="utf-8")
