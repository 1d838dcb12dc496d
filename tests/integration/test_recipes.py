"""The recipes of CONTRIBUTING, followed on a copy of the code and tried on a database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from runtime.settings import ENV_PREFIX, Settings
from tests.stack_fixtures import own_database

pytestmark = pytest.mark.integration

ROOT: Final = Path(__file__).parents[2]
_PACKAGES: Final = ("schemas", "domain", "runtime", "sinks", "streams", "audit", "api")
_TEXT: Final = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## Recipes")[2]
#: Where a new line goes: before the first of these after the start of the class or table.
_ENDS: Final = ("\n\n\n", "    version: int", "    schedule_version: int", "\n}\n")

_FIELD: Final = """
import orjson
from api.interaction_items import interaction_item
from api.routes.interaction_models import Interaction as Response, InteractionUpdateBody
from audit import command_fields, interaction_tuple
from domain.events import events_of
from runtime.postgres import connect
from runtime.settings import load_settings
from schemas.incoming_record import IncomingRecord
from schemas.decode import decode_record
from sinks import migrate
from sinks.batch import BatchSink
from streams.applier.apply import Applier

settings = load_settings()
migrate.upgrade(settings)
assert migrate.check(settings), "the table lacks the field"
migrate.generate(settings, "location")
migrate.upgrade(settings)
assert migrate.check(settings) == []

SCOPE = "00000000-0000-4000-8000-000000000001"
ADA, ONE = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
records = []
def command(kind, data):
    event = {"specversion": "1.0", "id": f"c{len(records)}", "type": f"customers.{kind}", "source": "/t",
             "tenantid": SCOPE, "organizationid": SCOPE, "entityid": ADA, "data": data}
    records.append(IncomingRecord("c", 0, len(records), 1772438400000, ADA.encode(), orjson.dumps(event), ()))
command("entity.upsert", {"id": ADA, "kind": "person", "displayName": "Ada"})
command("interaction.create", {"id": ONE, "interactionType": "visit", "location": "Room 5"})
command("interaction.update", {"id": ONE, "location": None})
command("interaction.undo", {"commandId": "c2"})
with connect(settings, application_name="recipe") as connection:
    applier = Applier(BatchSink(connection, consumer_group="g", topic="c"))
    decisions = []
    for record in records:
        decisions += applier.apply([decode_record(record, lambda _: 1 / 0)], {0: record.offset}, {})
    assert {decision.outcome for decision in decisions} == {"applied"}
    shown = [events_of(decision.entry)[0].payload["after"]["location"] for decision in decisions[1:]]
    assert shown == ["Room 5", None, "Room 5"], shown
    assert events_of(decisions[2].entry)[0].payload["changedFields"] == ["location"]
    row = connection.execute("SELECT location FROM customer_interactions").fetchone()
    assert row == ("Room 5",), row
assert "location" in Response.model_fields and "location" in InteractionUpdateBody.model_fields
assert interaction_tuple.MEMBERS["location"] == "location"
assert "location" in command_fields.FIELDS["interaction.create"]
print("followed")
"""

_RECORD: Final = """
from domain.model import Place
from domain.unit_of_work import UnitOfWork
from runtime.postgres import connect
from runtime.settings import load_settings
from sinks import migrate
from sinks.records import RECORDS
from sinks.store import store

settings = load_settings()
migrate.upgrade(settings)
migrate.generate(settings, "places")
migrate.upgrade(settings)
assert migrate.check(settings) == []

SCOPE = "00000000-0000-4000-8000-000000000001"
place = Place(SCOPE, SCOPE, SCOPE, "Room 5")
stored = RECORDS[Place]
def rows(connection):
    found = connection.execute(f"SELECT {stored.selection('p')} FROM customer_places p").fetchall()
    return [stored.of([str(value) for value in row]) for row in found]
def write(connection, *, put=None, remove=None, loaded=None):
    work = UnitOfWork()
    if loaded is not None:
        work.sets[Place].load(loaded)
    if put is not None:
        work.sets[Place].put(put)
    if remove is not None:
        work.sets[Place].remove(remove)
    store(connection, work, [])
with connect(settings, application_name="recipe") as connection:
    write(connection, put=place)
    assert rows(connection) == [place]
    moved = Place(SCOPE, SCOPE, SCOPE, "Room 6")
    write(connection, loaded=place, put=moved)
    assert rows(connection) == [moved]
    write(connection, loaded=moved, remove=moved)
    assert rows(connection) == []
print("followed")
"""


@pytest.fixture
def copy(tmp_path: Path, embedded_stack: Settings) -> Iterator[Path]:
    """A copy of the code, and a database without tables."""
    for package in _PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    with own_database(embedded_stack, "template0") as settings:
        assert settings.database_url is not None
        (tmp_path / "database").write_text(settings.database_url.get_secret_value())
        yield tmp_path


def _insert(path: Path, start: str, line: str) -> None:
    """Insert a line at the end of a class or table, before fields that must stay last."""
    text = path.read_text("utf-8")
    begin = re.search(rf"^{re.escape(start)}\b", text, re.MULTILINE)
    assert begin is not None, f"{path.name} has no {start}"
    end = min(at for mark in _ENDS if (at := text.find(mark, begin.start())) >= 0)
    path.write_text(f"{text[:end].rstrip()}\n    {line}\n{text[end:].lstrip(chr(10))}", "utf-8")


def _run(copy: Path, script: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
    environment |= {
        f"{ENV_PREFIX}DATABASE_URL": (copy / "database").read_text(),
        # Neither is asked for anything.
        f"{ENV_PREFIX}KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        f"{ENV_PREFIX}SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
        f"{ENV_PREFIX}HOME": str(copy / "home"),
        "PYTHONPATH": str(copy),
    }
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip().endswith("followed"), done.stdout + done.stderr


def test_a_new_field_is_one_line_in_five_files(copy: Path) -> None:
    steps = re.findall(r"^\| `([\w/.]+)` \| `([^`]+)` \| `(.+)` \|$", _TEXT, re.MULTILINE)
    assert len(steps) == 5
    for file, start, line in steps:
        _insert(copy / file, start, line.replace("\\|", "|"))
    _run(copy, _FIELD)


def test_a_new_record_is_a_value_a_table_and_their_description(copy: Path) -> None:
    model, table, description = re.findall(r"```python\n# ([\w/.]+).*\n([\s\S]*?)```", _TEXT)
    path = copy / model[0]
    text = path.read_text("utf-8").replace("KINDS: Final = (\n", "KINDS: Final = (\n    Place,\n")
    path.write_text(text.replace("#: Kinds of stored records", f"{model[1]}\n\n#: Kinds of stored records"))
    path = copy / table[0]
    path.write_text(f"{path.read_text('utf-8')}\n\n{table[1]}")
    path = copy / description[0]
    text = path.read_text("utf-8").replace(
        "    ErasedInteraction,\n    FlagValue,", "    ErasedInteraction,\n    FlagValue,\n    Place,"
    )
    start = "RECORDS: Final[dict[type, StoredRecord[Any]]] = {\n"
    assert start in text
    path.write_text(text.replace(start, f"{start}    {description[1].strip()}\n"))
    _run(copy, _RECORD)
