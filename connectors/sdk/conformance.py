"""What every provider must do: one suite, which each provider's test inherits.

A test module of a provider holds a class that inherits ``ProviderConformance``, and a pytest fixture
``stage`` that yields a ``Stage``: the provider in front of a real server or a strict simulator, with hands
that reach behind it. Tests of features that the provider does not declare are skipped.
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

#: An interaction with every field that can be mirrored.
FULL: Final[dict[str, Any]] = {
    "title": "Call Ada Lovelace",
    "body": "First line; with, signs\\n\n- Übung 🙂 <b>&amp;</b>\nlast line",
    "status": "planned",
    "scheduled_at": datetime(2031, 3, 5, 9, 30, 15, 123456, UTC),
    "occurred_at": None,
    "priority": 40,
    "interaction_type": "call",
}
#: The same interaction, every field changed.
OTHER: Final[dict[str, Any]] = {
    "title": "Visit: Grace, Hopper",
    "body": "Another text",
    "status": "done",
    "scheduled_at": datetime(2032, 12, 31, 23, 59, 59, 999999, UTC),
    "occurred_at": datetime(2030, 1, 2, 3, 4, 5, 678901, UTC),
    "priority": 93,
    "interaction_type": "visit",
}
#: Values at the edges of what a command may hold, by field.
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


class Stage(ABC):
    """A provider and the world behind it.

    :ivar provider: the provider under test.
    :ivar declaration: its declaration.
    :ivar settings: the settings it was made with.
    """

    provider: Provider
    declaration: Declaration
    settings: ProviderSettings

    @abstractmethod
    def count(self) -> int:
        """How many objects the provider's world holds, archived ones included."""

    @abstractmethod
    def outage(self) -> AbstractContextManager[None]:
        """For the length of a block, nothing is answered."""

    @abstractmethod
    def unanswered(self) -> AbstractContextManager[None]:
        """For the length of a block, writes are carried out and their answers lost."""

    @abstractmethod
    def revoked(self) -> AbstractContextManager[None]:
        """For the length of a block, our credentials are refused."""

    def vanished(self) -> AbstractContextManager[None]:
        """For the length of a block, the collection of our objects is not there, or not for us."""
        raise unittest.SkipTest("nothing holds the objects")

    def edit(self, external_id: str, values: Mapping[str, Any]) -> None:
        """Somebody else changes an object, by other means than the provider under test."""
        raise NotImplementedError("edit")

    def erase(self, external_id: str) -> None:
        """Somebody else deletes an object for good."""
        raise NotImplementedError("erase")

    def leave_alone(self) -> list[str]:
        """Make objects that are none of ours; their external ids, none if there can be no such."""
        return []

    def decorate(self, external_id: str) -> Callable[[], bool]:
        """Give an object something that only the provider knows; returns whether it is still there."""
        raise NotImplementedError("decorate")

    def deliveries(self) -> list[tuple[dict[str, str], bytes, str]]:
        """The webhooks of all changes so far, each with headers (lower case), body and URL."""
        raise NotImplementedError("deliveries")


class ProviderConformance:
    """The suite; a subclass needs nothing but the fixture ``stage``."""

    def test_it_declares_itself(self, stage: Stage) -> None:
        declared = stage.declaration
        assert declared.summary.endswith(".")
        assert declared.guarantees
        assert declared.limits, "a provider without limits overruns its server after an outage"
        for name, field in declared.settings.model_fields.items():
            assert field.description, f"people are asked for {name} by its description"
        for mirrored in declared.fields:
            for value in (FULL[mirrored.name], OTHER[mirrored.name], *EDGES.get(mirrored.name, ())):
                coarse = mirrored.coarse(value)
                assert mirrored.coarse(coarse) == coarse, f"{mirrored.name}: the coarse form must be final"

    def test_a_new_object_holds_what_was_asked(self, stage: Stage) -> None:
        made = _make(stage)
        assert made.marker == "m-1"
        assert not made.archived
        _holds(stage, made, FULL)
        assert stage.count() == 1
        if made.url is not None:
            parts = urlsplit(made.url)
            assert parts.scheme == "https"
            hosts = stage.declaration.hosts(stage.settings)
            assert any(parts.hostname == host or f"{parts.hostname}".endswith(f".{host}") for host in hosts)

    def test_what_is_read_is_what_was_written(self, stage: Stage) -> None:
        _needs(stage, "read")
        made = _make(stage)
        seen = _there(stage.provider.read(made.external_id))
        assert seen.external_id == made.external_id
        assert seen.marker == made.marker
        assert seen.version == made.version
        _holds(stage, seen, FULL)

    def test_every_value_at_the_edge_survives(self, stage: Stage) -> None:
        made = _make(stage)
        for mirrored in stage.declaration.fields:
            for value in EDGES.get(mirrored.name, ()):
                made = _there(stage.provider.update(made.external_id, {mirrored.name: value}, made))
                _holds(stage, made, {mirrored.name: value})
                if "read" in stage.declaration.features:
                    made = _there(stage.provider.read(made.external_id))
                    _holds(stage, made, {mirrored.name: value})
        assert stage.count() == 1

    def test_a_change_touches_no_other_field(self, stage: Stage) -> None:
        made = _make(stage)
        entry: dict[str, Any] = dict(FULL)
        for mirrored in stage.declaration.fields:
            change = {mirrored.name: OTHER[mirrored.name]}
            entry.update(change)
            made = _there(stage.provider.update(made.external_id, change, made))
            _holds(stage, made, entry)
        assert made.marker == "m-1"

    def test_the_status_goes_every_way(self, stage: Stage) -> None:
        made = _make(stage)
        for status in ("done", "planned", "canceled", "done", "canceled", "planned"):
            made = _there(stage.provider.update(made.external_id, {"status": status}, made))
            _holds(stage, made, {**FULL, "status": status})
            assert not made.archived, "canceled is a status, not the deletion of the interaction"

    def test_archive_and_restore_keep_the_object(self, stage: Stage) -> None:
        made = _make(stage)
        for _ in range(2):
            archived = _there(stage.provider.archive(made.external_id))
            assert archived.archived
            assert archived.external_id == made.external_id
        for _ in range(2):
            back = _there(stage.provider.restore(made.external_id, OTHER))
            assert not back.archived
            assert back.external_id == made.external_id
            _holds(stage, back, OTHER)
        assert stage.count() == 1
        if "read" in stage.declaration.features:
            seen = _there(stage.provider.read(made.external_id))
            _holds(stage, seen, OTHER)
            assert seen.marker == made.marker

    def test_what_was_deleted_for_good_is_gone(self, stage: Stage) -> None:
        _needs(stage, "read")
        made = _make(stage)
        stage.erase(made.external_id)
        provider = stage.provider
        for answer in (
            provider.read(made.external_id),
            provider.update(made.external_id, {"title": "new"}, made),
            provider.archive(made.external_id),
            provider.restore(made.external_id, FULL),
        ):
            assert answer == Gone(external_id=made.external_id)
        assert stage.count() == 0

    def test_the_marker_finds_the_object(self, stage: Stage) -> None:
        _needs(stage, "find")
        for number in (1, 2, 3):
            made = stage.provider.create(_intent(number))
            found = stage.provider.find_by_marker(f"m-{number}")
            assert found is not None
            assert found.external_id == made.external_id
        assert stage.provider.find_by_marker("m-4") is None
        assert stage.provider.find_by_marker("m-") is None

    def test_a_lost_answer_makes_no_second_object(self, stage: Stage) -> None:
        with stage.unanswered():
            _raises(Retry, lambda: stage.provider.create(_intent(1)))
        assert stage.count() == 1
        if "find" in stage.declaration.features:
            found = stage.provider.find_by_marker("m-1")
            assert found is not None
            _holds(stage, found, FULL)
        else:
            stage.provider.create(_intent(1))
            assert stage.count() == 1, "without `find`, creating must be idempotent by the marker"

    def test_a_change_whose_answer_is_lost_can_be_repeated(self, stage: Stage) -> None:
        made = _make(stage)
        with stage.unanswered():
            _raises(Retry, lambda: stage.provider.update(made.external_id, {"title": "new"}, made))
        if "read" in stage.declaration.features:
            made = _there(stage.provider.read(made.external_id))
        again = _there(stage.provider.update(made.external_id, {"title": "new"}, made))
        _holds(stage, again, {**FULL, "title": "new"})

    def test_another_hand_is_seen(self, stage: Stage) -> None:
        _needs(stage, "read")
        made = _make(stage)
        before = _there(stage.provider.read(made.external_id))
        for name, value in _both_ways(stage, OTHER).items():
            stage.edit(made.external_id, {name: value})
            seen = _there(stage.provider.read(made.external_id))
            assert seen.values[name] == _coarse(stage, name, value), name
            if seen.updated_at is not None and before.updated_at is not None:
                assert seen.updated_at >= before.updated_at
                assert abs(seen.updated_at - datetime.now(UTC)) < timedelta(minutes=5)
        assert _there(stage.provider.read(made.external_id)).marker == "m-1"

    def test_nobody_is_overwritten_unseen(self, stage: Stage) -> None:
        if not stage.declaration.conditional_writes:
            raise unittest.SkipTest("no conditional writes")
        made = _make(stage)
        stage.edit(made.external_id, {"title": "theirs"})
        _raises(Conflict, lambda: stage.provider.update(made.external_id, {"body": "ours"}, made))
        seen = _there(stage.provider.read(made.external_id))
        _holds(stage, seen, {**FULL, "title": "theirs"})

    def test_what_only_the_provider_knows_stays(self, stage: Stage) -> None:
        _needs(stage, "read")
        made = _make(stage)
        still_there = stage.decorate(made.external_id)
        seen = _there(stage.provider.read(made.external_id))
        for name, value in OTHER.items():
            if name in {mirrored.name for mirrored in stage.declaration.fields}:
                seen = _there(stage.provider.update(made.external_id, {name: value}, seen))
        stage.provider.archive(made.external_id)
        stage.provider.restore(made.external_id, FULL)
        assert still_there()

    def test_a_poll_tells_every_change(self, stage: Stage) -> None:
        _needs(stage, "poll")
        made = [stage.provider.create(_intent(number)) for number in (1, 2, 3)]
        page, told = _poll(stage, None)
        assert {change.external_id for change in told} == {each.external_id for each in made}
        for change in told:
            if change.state is not None:
                _holds(stage, change.state, FULL)
        stage.edit(made[1].external_id, {"title": "theirs"})
        page, told = _poll(stage, page.cursor)
        assert made[1].external_id in {change.external_id for change in told}
        stage.erase(made[2].external_id)
        page, told = _poll(stage, page.cursor)
        assert "gone" in {change.kind for change in told if change.external_id == made[2].external_id}

    def test_a_repeated_poll_tells_the_same_events(self, stage: Stage) -> None:
        _needs(stage, "poll")
        made = _make(stage)
        start, _ = _poll(stage, None)
        stage.edit(made.external_id, {"title": "theirs"})
        _, first = _poll(stage, start.cursor)
        end, second = _poll(stage, start.cursor)
        assert first
        assert {change.event_id for change in first} <= {change.event_id for change in second}
        _, later = _poll(stage, end.cursor)
        assert {change.event_id for change in later} <= {change.event_id for change in second}

    def test_what_is_none_of_ours_is_left_alone(self, stage: Stage) -> None:
        _needs(stage, "read")
        strangers = stage.leave_alone()
        if not strangers:
            raise unittest.SkipTest("everything there is ours")
        for stranger in strangers:
            _raises(Skip, lambda stranger=stranger: stage.provider.read(stranger))  # type: ignore[misc]
        page, told = _poll(stage, None)
        assert told == []
        assert sum(page.skipped.values()) == len(strangers)

    def test_an_outage_is_told_from_a_refusal(self, stage: Stage) -> None:
        made = _make(stage)
        with stage.outage():
            for call in _calls(stage, made):
                _raises(Retry, call)
        assert stage.count() == 1

    def test_a_missing_collection_is_no_deletion(self, stage: Stage) -> None:
        _needs(stage, "read")
        made = _make(stage)
        with stage.vanished():
            for call in _calls(stage, made):
                try:
                    call()
                except (NeedsAuth, Retry):
                    continue
                raise AssertionError("an object of a missing collection was taken for deleted, or made")
        assert _there(stage.provider.read(made.external_id)).marker == "m-1"
        assert stage.count() == 1

    def test_refused_credentials_ask_for_a_person(self, stage: Stage) -> None:
        made = _make(stage)
        if "read" not in stage.declaration.features:
            raise unittest.SkipTest("nothing is signed in to")
        with stage.revoked():
            for call in _calls(stage, made):
                _raises(NeedsAuth, call)

    def test_errors_tell_no_secret_and_no_text(self, stage: Stage) -> None:
        made = _make(stage)
        secrets = [value.get_secret_value() for _, value in stage.settings if isinstance(value, SecretStr)]
        for fault in (stage.outage, stage.revoked):
            with fault():
                for call in _calls(stage, made):
                    try:
                        call()
                    except InteractionsError as error:
                        said = f"{error!r} {error}"
                        assert not [secret for secret in secrets if secret in said]
                        assert "Lovelace" not in said

    def test_it_is_healthy_while_it_works(self, stage: Stage) -> None:
        health = stage.provider.health()
        assert health.ok
        assert health.detail

    def test_a_webhook_is_believed_only_with_its_signature(self, stage: Stage) -> None:
        _needs(stage, "webhooks")
        made = _make(stage)
        stage.edit(made.external_id, {"title": "théirs 🙂"})
        deliveries = stage.deliveries()
        told: list[RemoteChange] = []
        for headers, body, url in deliveries:
            first = stage.provider.verify_and_parse_webhook(headers, body, url)
            assert [c.event_id for c in stage.provider.verify_and_parse_webhook(headers, body, url)] == [
                change.event_id for change in first
            ]
            told += first
            for bad_headers, bad_body, bad_url in (
                ({}, body, url),
                ({name: value[::-1] for name, value in headers.items()}, body, url),
                (headers, body.replace(b"i", b"j", 1), url),
                (headers, body, f"{url}x"),
            ):
                _refused(stage, bad_headers, bad_body, bad_url)
        assert made.external_id in {change.external_id for change in told}
        assert len({change.event_id for change in told}) == len(told)
        stage.erase(made.external_id)
        headers, body, url = stage.deliveries()[-1]
        assert [c.kind for c in stage.provider.verify_and_parse_webhook(headers, body, url)] == ["gone"]


def _intent(number: int) -> Intent:
    return Intent(
        interaction_id=f"00000000-0000-4000-8000-{number:012}", marker=f"m-{number}", values=dict(FULL)
    )


def _make(stage: Stage) -> RemoteObject:
    return stage.provider.create(_intent(1))


def _there(answer: RemoteObject | Gone) -> RemoteObject:
    assert isinstance(answer, RemoteObject), "the object is gone"
    return answer


def _coarse(stage: Stage, name: str, value: Any) -> Any:
    return next(each for each in stage.declaration.fields if each.name == name).coarse(value)


def _holds(stage: Stage, seen: RemoteObject, values: Mapping[str, Any]) -> None:
    for mirrored in stage.declaration.fields:
        if mirrored.name in values and mirrored.direction != "in":
            assert seen.values[mirrored.name] == mirrored.coarse(values[mirrored.name]), mirrored.name


def _both_ways(stage: Stage, values: Mapping[str, Any]) -> dict[str, Any]:
    names = [each.name for each in stage.declaration.fields if each.direction != "out"]
    return {name: values[name] for name in names}


def _poll(stage: Stage, cursor: str | None) -> tuple[ChangePage, list[RemoteChange]]:
    """Poll to the end; the last page with everything that was skipped, and all changes."""
    told: list[RemoteChange] = []
    left_alone: dict[str, str] = {}
    for _ in range(100):
        page = stage.provider.changes(cursor)
        told += page.changes
        left_alone.update(page.left_alone)
        if not page.more:
            return ChangePage(changes=page.changes, cursor=page.cursor, left_alone=left_alone), told
        cursor = page.cursor
    raise AssertionError("the poll does not end")


def _calls(stage: Stage, made: RemoteObject) -> list[Callable[[], object]]:
    provider, identity = stage.provider, made.external_id
    calls: list[Callable[[], object]] = [
        lambda: provider.create(_intent(2)),
        lambda: provider.update(identity, {"title": "new"}, made),
        lambda: provider.archive(identity),
        lambda: provider.restore(identity, FULL),
    ]
    if "read" in stage.declaration.features:
        calls += [lambda: provider.read(identity), provider.health]
    if "find" in stage.declaration.features:
        calls.append(lambda: provider.find_by_marker("m-1"))
    if "poll" in stage.declaration.features:
        calls.append(lambda: provider.changes(None))
    return calls


def _refused(stage: Stage, headers: Mapping[str, str], body: bytes, url: str) -> None:
    refusal = _raises(Reject, lambda: stage.provider.verify_and_parse_webhook(headers, body, url))
    assert isinstance(refusal, Reject)
    assert (refusal.code, refusal.status) == ("bad_signature", 401)


def _raises(expected: type[InteractionsError], call: Callable[[], object]) -> InteractionsError:
    try:
        call()
    except expected as error:
        return error
    raise AssertionError(f"{expected.__name__} was not raised")


def _needs(stage: Stage, feature: Feature) -> None:
    if feature not in stage.declaration.features:
        raise unittest.SkipTest(f"no `{feature}`")
