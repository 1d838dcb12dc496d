"""Conformance suite for providers: inherit it, and pytest runs every check against your provider.

In the provider's test module, subclass :class:`ProviderConformance` and define a pytest fixture ``harness``
that yields a :class:`ProviderHarness`: your provider in front of a real server or a strict simulator, plus
direct access to that server, so that the suite can act as another client. Tests for features that the
provider does not declare are skipped.
"""

from __future__ import annotations

import unittest
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from connectors.sdk.declaration import Declaration, Feature, ProviderSettings
from connectors.sdk.provider import Provider
from connectors.sdk.remote import ChangePage, Gone, Intent, RemoteChange, RemoteObject
from schemas.errors import Conflict, InteractionsError, NeedsAuth, Reject, Retry, Skip

#: An interaction with a value in every field that can be mirrored.
FULL: Final[dict[str, Any]] = {
    "title": "Call Ada Lovelace",
    "body": "First line; with, signs\\n\n- Übung 🙂 <b>&amp;</b>\nlast line",
    "status": "planned",
    "scheduled_at": datetime(2031, 3, 5, 9, 30, 15, 123456, UTC),
    "occurred_at": None,
    "priority": 40,
    "interaction_type": "call",
}
#: The same interaction with every field changed.
OTHER: Final[dict[str, Any]] = {
    "title": "Visit: Grace, Hopper",
    "body": "Another text",
    "status": "done",
    "scheduled_at": datetime(2032, 12, 31, 23, 59, 59, 999999, UTC),
    "occurred_at": datetime(2030, 1, 2, 3, 4, 5, 678901, UTC),
    "priority": 93,
    "interaction_type": "visit",
}
#: Boundary values that a command may carry, by field.
EDGES: Final[dict[str, tuple[Any, ...]]] = {
    "title": (
        None,
        "",
        "x" * 500,
        "  spaces  ",
        "two\nlines",
        "ends with \\",
        "é́🙂" * 100,
        "tab\tand\x0bcontrol",
    ),
    "body": (
        None,
        "",
        "b" * 10_000,
        "\r\nWindows\r\n\r\n",
        "---\n",
        "-" * 80,
        "🙂" * 2_500,
        "a\u2028b\x85c\x00"[:5],
    ),
    "scheduled_at": (None, datetime(1970, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, tzinfo=UTC)),
    "occurred_at": (None, datetime(2026, 2, 28, 12, tzinfo=UTC)),
    "priority": (None, 0, 1, 50, 99, 100),
    "interaction_type": ("call", "follow_up_call", "übung"),
}


class ProviderHarness(ABC):
    """The provider under test, with control over the server behind it.

    :ivar provider: the provider under test.
    :ivar declaration: its declaration.
    :ivar settings: the settings it was created with.
    """

    provider: Provider
    declaration: Declaration
    settings: ProviderSettings

    @abstractmethod
    def object_count(self) -> int:
        """Number of objects on the server, archived ones included."""

    @abstractmethod
    def outage(self) -> AbstractContextManager[None]:
        """Make the server unreachable for the duration of the block."""

    @abstractmethod
    def lost_responses(self) -> AbstractContextManager[None]:
        """Let the server execute writes but drop the responses, for the duration of the block."""

    @abstractmethod
    def revoked_credentials(self) -> AbstractContextManager[None]:
        """Make the server refuse the provider's credentials for the duration of the block."""

    def missing_collection(self) -> AbstractContextManager[None]:
        """Remove or hide the collection (board, calendar) that holds the objects, for the block."""
        raise unittest.SkipTest("the service has no collections")

    def edit(self, external_id: str, values: Mapping[str, Any]) -> None:
        """Change an object as another client would, not through the provider under test."""
        raise NotImplementedError("edit")

    def delete(self, external_id: str) -> None:
        """Delete an object permanently, as another client would."""
        raise NotImplementedError("delete")

    def create_foreign_objects(self) -> list[str]:
        """Create objects that the provider must skip; their external ids, ``[]`` if there are none."""
        return []

    def add_foreign_data(self, external_id: str) -> Callable[[], bool]:
        """Add data that is not mirrored to an object.

        :returns: a function that reports whether the data is still there.
        """
        raise NotImplementedError("add_foreign_data")

    def webhook_deliveries(self) -> list[tuple[dict[str, str], bytes, str]]:
        """Webhook deliveries for all changes so far: headers (names in lower case), body and URL of each."""
        raise NotImplementedError("webhook_deliveries")


class ProviderConformance:
    """The suite. A subclass needs no body; the ``harness`` fixture supplies everything."""

    def test_declaration_is_complete(self, harness: ProviderHarness) -> None:
        declared = harness.declaration
        assert declared.summary.endswith(".")
        assert declared.guarantees
        assert declared.limits, (
            "declare rate limits: without them the provider floods its server after an outage"
        )
        for name, field in declared.settings.model_fields.items():
            assert field.description, f"setting {name} needs a description: users are prompted with it"
        for mirrored in declared.fields:
            for value in (FULL[mirrored.name], OTHER[mirrored.name], *EDGES.get(mirrored.name, ())):
                coarse = mirrored.coarse(value)
                assert mirrored.coarse(coarse) == coarse, f"{mirrored.name}: coarse must be idempotent"

    def test_create_stores_every_field(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        assert created.marker == "m-1"
        assert not created.archived
        _assert_holds(harness, created, FULL)
        assert harness.object_count() == 1
        if created.url is not None:
            parts = urlsplit(created.url)
            assert parts.scheme == "https"
            hosts = harness.declaration.hosts(harness.settings)
            assert any(parts.hostname == host or f"{parts.hostname}".endswith(f".{host}") for host in hosts)

    def test_read_returns_what_was_written(self, harness: ProviderHarness) -> None:
        _require(harness, "read")
        created = _create(harness)
        found = _present(harness.provider.read(created.external_id))
        assert found.external_id == created.external_id
        assert found.marker == created.marker
        assert found.version == created.version
        _assert_holds(harness, found, FULL)

    def test_boundary_values_round_trip(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        for mirrored in harness.declaration.fields:
            for value in EDGES.get(mirrored.name, ()):
                created = _present(
                    harness.provider.update(created.external_id, {mirrored.name: value}, created)
                )
                _assert_holds(harness, created, {mirrored.name: value})
                if "read" in harness.declaration.features:
                    created = _present(harness.provider.read(created.external_id))
                    _assert_holds(harness, created, {mirrored.name: value})
        assert harness.object_count() == 1

    def test_update_changes_only_the_given_fields(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        entry: dict[str, Any] = dict(FULL)
        for mirrored in harness.declaration.fields:
            change = {mirrored.name: OTHER[mirrored.name]}
            entry.update(change)
            created = _present(harness.provider.update(created.external_id, change, created))
            _assert_holds(harness, created, entry)
        assert created.marker == "m-1"

    def test_status_can_change_in_every_direction(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        for status in ("done", "planned", "canceled", "done", "canceled", "planned"):
            created = _present(harness.provider.update(created.external_id, {"status": status}, created))
            _assert_holds(harness, created, {**FULL, "status": status})
            assert not created.archived, (
                "canceled is a status; archived means that the interaction was deleted"
            )

    def test_archive_and_restore_keep_the_object(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        for _ in range(2):
            archived = _present(harness.provider.archive(created.external_id))
            assert archived.archived
            assert archived.external_id == created.external_id
        for _ in range(2):
            back = _present(harness.provider.restore(created.external_id, OTHER))
            assert not back.archived
            assert back.external_id == created.external_id
            _assert_holds(harness, back, OTHER)
        assert harness.object_count() == 1
        if "read" in harness.declaration.features:
            found = _present(harness.provider.read(created.external_id))
            _assert_holds(harness, found, OTHER)
            assert found.marker == created.marker

    def test_an_erased_object_does_not_exist_any_more(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        for _ in range(2):
            harness.provider.erase(created.external_id)
        if "read" in harness.declaration.features:
            assert isinstance(harness.provider.read(created.external_id), Gone)

    def test_a_permanently_deleted_object_is_gone(self, harness: ProviderHarness) -> None:
        _require(harness, "read")
        created = _create(harness)
        harness.delete(created.external_id)
        provider = harness.provider
        for answer in (
            provider.read(created.external_id),
            provider.update(created.external_id, {"title": "new"}, created),
            provider.archive(created.external_id),
            provider.restore(created.external_id, FULL),
        ):
            assert answer == Gone(external_id=created.external_id)
        assert harness.object_count() == 0

    def test_find_by_marker_finds_the_object(self, harness: ProviderHarness) -> None:
        _require(harness, "find")
        for number in (1, 2, 3):
            created = harness.provider.create(_intent(number))
            found = harness.provider.find_by_marker(f"m-{number}")
            assert found is not None
            assert found.external_id == created.external_id
        assert harness.provider.find_by_marker("m-4") is None
        assert harness.provider.find_by_marker("m-") is None

    def test_create_after_a_lost_response_makes_no_duplicate(self, harness: ProviderHarness) -> None:
        with harness.lost_responses():
            _assert_raises(Retry, lambda: harness.provider.create(_intent(1)))
        assert harness.object_count() == 1
        if "find" in harness.declaration.features:
            found = harness.provider.find_by_marker("m-1")
            assert found is not None
            _assert_holds(harness, found, FULL)
        else:
            harness.provider.create(_intent(1))
            assert harness.object_count() == 1, "without `find`, create must be idempotent per marker"

    def test_update_can_be_repeated_after_a_lost_response(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        with harness.lost_responses():
            _assert_raises(
                Retry, lambda: harness.provider.update(created.external_id, {"title": "new"}, created)
            )
        if "read" in harness.declaration.features:
            created = _present(harness.provider.read(created.external_id))
        again = _present(harness.provider.update(created.external_id, {"title": "new"}, created))
        _assert_holds(harness, again, {**FULL, "title": "new"})

    def test_edits_by_another_client_are_read(self, harness: ProviderHarness) -> None:
        _require(harness, "read")
        created = _create(harness)
        before = _present(harness.provider.read(created.external_id))
        for name, value in _two_way_values(harness, OTHER).items():
            harness.edit(created.external_id, {name: value})
            found = _present(harness.provider.read(created.external_id))
            assert found.values[name] == _coarse(harness, name, value), name
            if found.updated_at is not None and before.updated_at is not None:
                assert found.updated_at >= before.updated_at
                assert abs(found.updated_at - datetime.now(UTC)) < timedelta(minutes=5)
        assert _present(harness.provider.read(created.external_id)).marker == "m-1"

    def test_a_stale_update_raises_conflict(self, harness: ProviderHarness) -> None:
        if not harness.declaration.conditional_writes:
            raise unittest.SkipTest("conditional_writes is not declared")
        created = _create(harness)
        harness.edit(created.external_id, {"title": "theirs"})
        _assert_raises(
            Conflict, lambda: harness.provider.update(created.external_id, {"body": "ours"}, created)
        )
        found = _present(harness.provider.read(created.external_id))
        _assert_holds(harness, found, {**FULL, "title": "theirs"})

    def test_data_that_is_not_mirrored_survives_writes(self, harness: ProviderHarness) -> None:
        _require(harness, "read")
        created = _create(harness)
        intact = harness.add_foreign_data(created.external_id)
        found = _present(harness.provider.read(created.external_id))
        for name, value in OTHER.items():
            if name in {mirrored.name for mirrored in harness.declaration.fields}:
                found = _present(harness.provider.update(created.external_id, {name: value}, found))
        harness.provider.archive(created.external_id)
        harness.provider.restore(created.external_id, FULL)
        assert intact()

    def test_poll_reports_every_change(self, harness: ProviderHarness) -> None:
        _require(harness, "poll")
        created = [harness.provider.create(_intent(number)) for number in (1, 2, 3)]
        page, reported = _poll(harness, None)
        assert {change.external_id for change in reported} == {each.external_id for each in created}
        for change in reported:
            if change.state is not None:
                _assert_holds(harness, change.state, FULL)
        harness.edit(created[1].external_id, {"title": "theirs"})
        page, reported = _poll(harness, page.cursor)
        assert created[1].external_id in {change.external_id for change in reported}
        harness.delete(created[2].external_id)
        page, reported = _poll(harness, page.cursor)
        assert "gone" in {change.kind for change in reported if change.external_id == created[2].external_id}

    def test_polling_from_the_same_cursor_repeats_event_ids(self, harness: ProviderHarness) -> None:
        _require(harness, "poll")
        created = _create(harness)
        start, _ = _poll(harness, None)
        harness.edit(created.external_id, {"title": "theirs"})
        _, first = _poll(harness, start.cursor)
        end, second = _poll(harness, start.cursor)
        assert first
        assert {change.event_id for change in first} <= {change.event_id for change in second}
        _, later = _poll(harness, end.cursor)
        assert {change.event_id for change in later} <= {change.event_id for change in second}

    def test_foreign_objects_are_skipped(self, harness: ProviderHarness) -> None:
        _require(harness, "read")
        foreign = harness.create_foreign_objects()
        if not foreign:
            raise unittest.SkipTest("the service has no objects to skip")
        for foreign_id in foreign:
            _assert_raises(Skip, lambda foreign_id=foreign_id: harness.provider.read(foreign_id))  # type: ignore[misc]
        page, reported = _poll(harness, None)
        assert reported == []
        assert sum(page.skip_counts.values()) == len(foreign)

    def test_an_outage_raises_retry(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        with harness.outage():
            for call in _all_calls(harness, created):
                _assert_raises(Retry, call)
        assert harness.object_count() == 1

    def test_a_missing_collection_is_not_a_deletion(self, harness: ProviderHarness) -> None:
        _require(harness, "read")
        created = _create(harness)
        with harness.missing_collection():
            for call in _all_calls(harness, created):
                try:
                    call()
                except (NeedsAuth, Retry):
                    continue
                raise AssertionError(
                    "raise NeedsAuth or Retry for a missing collection; its objects are not gone"
                )
        assert _present(harness.provider.read(created.external_id)).marker == "m-1"
        assert harness.object_count() == 1

    def test_refused_credentials_raise_needs_auth(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        if "read" not in harness.declaration.features:
            raise unittest.SkipTest("without `read` there is nothing to authenticate for")
        with harness.revoked_credentials():
            for call in _all_calls(harness, created):
                _assert_raises(NeedsAuth, call)

    def test_errors_contain_no_secrets_and_no_customer_text(self, harness: ProviderHarness) -> None:
        created = _create(harness)
        secrets = [value.get_secret_value() for _, value in harness.settings if isinstance(value, SecretStr)]
        for fault in (harness.outage, harness.revoked_credentials):
            with fault():
                for call in _all_calls(harness, created):
                    try:
                        call()
                    except InteractionsError as error:
                        message = f"{error!r} {error}"
                        assert not [secret for secret in secrets if secret in message]
                        assert "Lovelace" not in message

    def test_health_is_ok_while_the_server_is_up(self, harness: ProviderHarness) -> None:
        health = harness.provider.health()
        assert health.ok
        assert health.detail

    def test_webhooks_without_a_valid_signature_are_rejected(self, harness: ProviderHarness) -> None:
        _require(harness, "webhooks")
        created = _create(harness)
        harness.edit(created.external_id, {"title": "théirs 🙂"})
        deliveries = harness.webhook_deliveries()
        reported: list[RemoteChange] = []
        for headers, body, url in deliveries:
            first = harness.provider.verify_and_parse_webhook(headers, body, url)
            assert [c.event_id for c in harness.provider.verify_and_parse_webhook(headers, body, url)] == [
                change.event_id for change in first
            ]
            reported += first
            for bad_headers, bad_body, bad_url in (
                ({}, body, url),
                ({name: value[::-1] for name, value in headers.items()}, body, url),
                (headers, body.replace(b"i", b"j", 1), url),
                (headers, body, f"{url}x"),
            ):
                _assert_rejected(harness, bad_headers, bad_body, bad_url)
        assert created.external_id in {change.external_id for change in reported}
        assert len({change.event_id for change in reported}) == len(reported)
        harness.delete(created.external_id)
        headers, body, url = harness.webhook_deliveries()[-1]
        assert [c.kind for c in harness.provider.verify_and_parse_webhook(headers, body, url)] == ["gone"]


def _intent(number: int) -> Intent:
    return Intent(
        interaction_id=f"00000000-0000-4000-8000-{number:012}", marker=f"m-{number}", values=dict(FULL)
    )


def _create(harness: ProviderHarness) -> RemoteObject:
    return harness.provider.create(_intent(1))


def _present(answer: RemoteObject | Gone) -> RemoteObject:
    assert isinstance(answer, RemoteObject), "expected an object, got Gone"
    return answer


def _coarse(harness: ProviderHarness, name: str, value: Any) -> Any:
    return next(each for each in harness.declaration.fields if each.name == name).coarse(value)


def _assert_holds(harness: ProviderHarness, found: RemoteObject, values: Mapping[str, Any]) -> None:
    for mirrored in harness.declaration.fields:
        if mirrored.name in values and mirrored.direction != "in":
            assert found.values[mirrored.name] == mirrored.coarse(values[mirrored.name]), mirrored.name


def _two_way_values(harness: ProviderHarness, values: Mapping[str, Any]) -> dict[str, Any]:
    names = [each.name for each in harness.declaration.fields if each.direction != "out"]
    return {name: values[name] for name in names}


def _poll(harness: ProviderHarness, cursor: str | None) -> tuple[ChangePage, list[RemoteChange]]:
    """Poll until no page has ``more``; the last page with everything skipped so far, and all changes."""
    reported: list[RemoteChange] = []
    skipped: dict[str, str] = {}
    for _ in range(100):
        page = harness.provider.changes(cursor)
        reported += page.changes
        skipped.update(page.skipped)
        if not page.more:
            return ChangePage(changes=page.changes, cursor=page.cursor, skipped=skipped), reported
        cursor = page.cursor
    raise AssertionError("100 pages and `more` is still set: does the cursor advance?")


def _all_calls(harness: ProviderHarness, created: RemoteObject) -> list[Callable[[], object]]:
    provider, identity = harness.provider, created.external_id
    calls: list[Callable[[], object]] = [
        lambda: provider.create(_intent(2)),
        lambda: provider.update(identity, {"title": "new"}, created),
        lambda: provider.archive(identity),
        lambda: provider.restore(identity, FULL),
    ]
    if "read" in harness.declaration.features:
        calls += [lambda: provider.read(identity), provider.health]
    if "find" in harness.declaration.features:
        calls.append(lambda: provider.find_by_marker("m-1"))
    if "poll" in harness.declaration.features:
        calls.append(lambda: provider.changes(None))
    return calls


def _assert_rejected(harness: ProviderHarness, headers: Mapping[str, str], body: bytes, url: str) -> None:
    refusal = _assert_raises(Reject, lambda: harness.provider.verify_and_parse_webhook(headers, body, url))
    assert isinstance(refusal, Reject)
    assert (refusal.code, refusal.status) == ("bad_signature", 401)


def _assert_raises(expected: type[InteractionsError], call: Callable[[], object]) -> InteractionsError:
    try:
        call()
    except expected as error:
        return error
    raise AssertionError(f"expected {expected.__name__}, but nothing was raised")


def _require(harness: ProviderHarness, feature: Feature) -> None:
    if feature not in harness.declaration.features:
        raise unittest.SkipTest(f"feature `{feature}` is not declared")
