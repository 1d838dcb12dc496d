"""The reference pages match the code: every command, field, event, transition and error code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from domain.default_types import DEFAULT_TYPES
from domain.lifecycle import ILLEGAL
from runtime.settings import Settings
from schemas.command import Command
from schemas.decode import decode_record
from schemas.event_types import EVENT_TYPES
from schemas.events import InteractionSnapshot, Published
from schemas.flags import DEFAULTS as FLAGS
from schemas.incoming_record import IncomingRecord
from schemas.integration_events import INTEGRATION_EVENT_TYPES
from schemas.outcomes import Result
from schemas.payload_base import Payload
from schemas.payloads import PAYLOADS, FeatureFlagSet, InteractionTypeUpsert
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[2]
COMMANDS = (ROOT / "docs/commands.md").read_text()
EVENTS = (ROOT / "docs/events.md").read_text()
STATES = (ROOT / "docs/state-machine.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
ENTITY = "5b1f9f4e-7a30-4a86-8a5f-3d2f1c9e0003"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def section(page: str, title: str) -> str:
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert found, f"there is no section {title!r}"
    return found[1]


def names_in(text: str) -> set[str]:
    """Every name in backticks."""
    return {name for code in re.findall(r"`([^`\n]+)`", text) for name in re.split(r"[^\w]+", code)}


@pytest.mark.parametrize("command_type", PAYLOADS)
def test_each_command_is_listed_with_every_field_of_its_own(command_type: str) -> None:
    text = section(COMMANDS, command_type)
    model = PAYLOADS[command_type]
    shared = {field.alias for field in Payload.model_fields.values()}
    own = {field.alias for field in model.model_fields.values()} - shared
    assert own <= names_in(text), own - names_in(text)


def test_the_shared_fields_are_listed() -> None:
    text = section(COMMANDS, "Data that every command may carry")
    assert {str(field.alias) for field in Payload.model_fields.values()} <= names_in(text)


def examples() -> list[tuple[str, str]]:
    return [
        (command_type, example)
        for command_type in PAYLOADS
        for example in re.findall(r"```json\n(.*?)```", section(COMMANDS, command_type), re.DOTALL)
    ]


def test_each_command_has_an_example() -> None:
    assert {command_type for command_type, _ in examples()} == set(PAYLOADS)


def decode(event: dict[str, object]) -> object:
    value = json.dumps(event).encode()
    record = IncomingRecord("commands", 0, 0, 1_900_000_000_000, str(event["entityid"]).encode(), value, ())

    def no_avro(value: bytes) -> tuple[str, dict[str, object]]:
        raise AssertionError("the examples are JSON")

    return decode_record(record, no_avro)


@pytest.mark.parametrize(("command_type", "example"), examples())
def test_each_example_is_a_valid_command(command_type: str, example: str) -> None:
    organization = "0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0002"
    tenant = "0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001"
    keys: dict[type[Payload], str] = {InteractionTypeUpsert: organization, FeatureFlagSet: tenant}
    event = {
        "specversion": "1.0",
        "id": "c-1",
        "source": "urn:example:docs",
        "type": command_type,
        "tenantid": tenant,
        "organizationid": organization,
        "entityid": keys.get(PAYLOADS[command_type], ENTITY),
        "data": json.loads(example),
    }
    assert isinstance(decode(event), Command), decode(event)


def test_the_whole_structured_event_is_a_valid_command() -> None:
    found = re.search(r"```json\n(.*?)```", section(COMMANDS, "Sending"), re.DOTALL)
    assert found
    assert isinstance(decode(json.loads(found[1])), Command)


def codes_in_the_code() -> set[str]:
    """Rejection codes in the sources of the packages that reject commands."""
    text = "".join(
        path.read_text()
        for room in ("schemas", "domain", "sinks", "streams")
        for path in (ROOT / room).rglob("*.py")
    )
    called = re.findall(
        r"\b(?:Reject|Undecodable|attribute_error)\(\s*(?:\w+, |\"specversion\", )?\"([a-z_]+)\"", text
    )
    return set(called) | {code for code, _ in ILLEGAL.values()} | {"version_conflict"}


def test_every_error_code_is_explained_and_none_is_invented() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [\d, ]+ \|", section(COMMANDS, "Error codes"), re.MULTILINE)
    explained = {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}
    assert explained == codes_in_the_code()


def test_outcomes_and_the_fields_of_a_result_are_listed() -> None:
    text = section(COMMANDS, "Outcomes")
    assert {str(field.alias) for field in Result.model_fields.values()} <= names_in(text)


def test_the_default_dictionary_is_listed() -> None:
    text = section(COMMANDS, "customers.interaction_type.upsert")
    assert set(DEFAULT_TYPES) <= names_in(text)


def test_every_event_type_and_field_is_listed() -> None:
    assert [name for name in EVENT_TYPES if name not in EVENTS] == []
    models: list[type[Published]] = [*EVENT_TYPES.values(), InteractionSnapshot]
    for model in models:
        fields = {str(field.alias) for field in model.model_fields.values()}
        assert fields <= names_in(EVENTS), fields - names_in(EVENTS)


def test_every_event_of_integrations_is_listed_with_its_fields() -> None:
    text = section(EVENTS, "customers.integrations.events")
    for name, model in INTEGRATION_EVENT_TYPES.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}`"))
        fields = {str(field.alias) for field in model.model_fields.values()}
        assert fields <= names_in(row) | {"integrationId", "provider"}, name
    assert len(re.findall(r"^\| `customers", text, re.MULTILINE)) == len(INTEGRATION_EVENT_TYPES)


def test_the_diagram_has_every_transition_and_no_other() -> None:
    diagram = re.search(r"```mermaid\n(.*?)```", STATES, re.DOTALL)
    assert diagram
    moves = set(re.findall(r"(planned|done|canceled) --> (\w+|\[\*\]): (\w+)", diagram[1]))
    states = ("planned", "done", "canceled")
    wanted = {"complete": "done", "cancel": "canceled", "reopen": "planned"}
    legal = {
        (state, target, verb)
        for verb, target in wanted.items()
        for state in states
        if (state, target) not in ILLEGAL
    }
    assert moves == legal | {(state, "[*]", "delete") for state in states}


def test_the_table_of_illegal_changes() -> None:
    target = {"complete": "done", "cancel": "canceled", "reopen": "planned"}
    rows = re.findall(r"^\| (\w+) \| (\w+) \| `(\w+)` \|", STATES, re.MULTILINE)
    assert {(state, target[verb]): code for state, verb, code in rows} == {
        key: code for key, (code, _) in ILLEGAL.items()
    }


def test_every_setting_is_explained() -> None:
    missing = [name for name in Settings.model_fields if f"INTERACTIONS_{name.upper()}" not in OPERATIONS]
    assert missing == []


def test_topics_are_spelled_as_in_the_catalogue() -> None:
    known = {topic.name for topic in TOPICS}
    for page in PAGES:
        found = re.findall(
            r"\bcustomers\.(?:interactions|next-interaction|integrations)\.[a-z-]+\b", page.read_text()
        )
        others = {"customers.interactions.create", "customers.integrations.manage", *FLAGS}
        # A flag may contain underscores, which end the match.
        others |= {flag.rpartition("-")[0] for flag in FLAGS if "-" in flag}
        assert set(found) - known - others == set(), page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_shown_exists(page: Path) -> None:
    from typer.main import get_command

    from cli.main import make_app

    known = set(get_command(make_app()).commands)  # type: ignore[attr-defined]
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    shown = {
        verb for block in blocks for verb in re.findall(r"^\s*interactions ([a-z-]+)", block, re.MULTILINE)
    }
    shown |= set(re.findall(r"`interactions ([a-z-]+)[` ]", page.read_text()))
    assert shown <= known, shown - known
