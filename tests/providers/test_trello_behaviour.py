"""Trello specifics: rate limits, webhooks, tokens, footers and paging."""

from __future__ import annotations

import base64
import dataclasses
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from typing import Any, Final

import pytest
from pydantic import SecretStr, ValidationError

from connectors.providers.trello import DECLARATION, TrelloSettings
from connectors.providers.trello import board as trello_board
from connectors.sdk.conformance import FULL
from connectors.sdk.declaration import RateLimit
from connectors.sdk.remote import Gone, Intent, RemoteChange, RemoteObject
from connectors.service.http_client import make_client
from connectors.service.rate_limit import SlidingWindowLimiter
from schemas.errors import NeedsAuth, Reject, Retry
from tests.providers.asgi_thread import Switch, served
from tests.providers.linked import SavedSecrets
from tests.providers.test_trello import TrelloHarness, harness, server
from tests.providers.trello_limits import TrelloLimits
from tests.providers.trello_simulator import CLIENT_ID, CLIENT_SECRET, SECRET
from tests.providers.webhook_inbox import WebhookInbox

__all__ = ["harness", "server"]

INTENT: Final = Intent(interaction_id="i-1", marker="m-1", values=FULL)


@pytest.fixture(scope="module")
def inbox_server() -> Iterator[tuple[Switch, str]]:
    switch = Switch()
    with served(switch) as address:
        yield switch, address


@pytest.fixture
def inbox(inbox_server: tuple[Switch, str], harness: TrelloHarness) -> WebhookInbox:
    """An inbox for the webhooks of the provider under test."""
    switch, address = inbox_server
    made = WebhookInbox()
    switch.app = made.app()
    harness.context = dataclasses.replace(harness.context, callback_url=f"{address}/webhooks/integration-1")
    harness.provider = DECLARATION.make(harness.settings, harness.context)
    return made


def _read(harness: TrelloHarness, external_id: str) -> RemoteObject:
    seen = harness.provider.read(external_id)
    assert isinstance(seen, RemoteObject)
    return seen


def _told(harness: TrelloHarness, inbox: WebhookInbox) -> list[RemoteChange]:
    harness.simulator.webhooks.settle()
    url = harness.context.callback_url
    assert url is not None
    parse = harness.provider.verify_and_parse_webhook
    return [change for headers, body in inbox.deliveries for change in parse(headers, body, url)]


class TestWebhooks:
    """The registration is kept alive; deliveries are hints, however repeated or late."""

    def test_it_is_registered_once_and_people_are_heard(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        for _ in range(3):
            harness.provider.ensure_webhook()
        DECLARATION.make(harness.settings, harness.context).ensure_webhook()  # after a restart
        assert len(harness.simulator.webhooks.known) == 1
        made = harness.provider.create(INTENT)
        harness.edit(made.external_id, {"title": "théirs"})
        harness.simulator.board.comment(made.external_id)
        harness.simulator.board.update_card(
            made.external_id, {"idList": harness.simulator.board.lists[1]["id"]}
        )
        told = _told(harness, inbox)
        assert [change.external_id for change in told] == [made.external_id] * 2, (
            "a comment, a move: no change"
        )
        assert len(inbox.deliveries) == 4

    def test_our_own_writes_come_back_with_our_name(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        harness.provider.ensure_webhook()
        made = harness.provider.create(INTENT)
        harness.edit(made.external_id, {"title": "theirs"})
        _told(harness, inbox)
        names = [headers.get("x-trello-client-identifier") for headers, _ in inbox.deliveries]
        assert names == ["integration-1", None]

    def test_copies_and_late_ones_carry_the_same_event_id(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        webhooks = harness.simulator.webhooks
        webhooks.copies, webhooks.entry = 2, True
        harness.provider.ensure_webhook()
        made = harness.provider.create(INTENT)
        for number in range(3):
            harness.edit(made.external_id, {"title": f"title {number}"})
        webhooks.release()
        told = _told(harness, inbox)
        assert len(told) == 8
        events = [str(change.event_id) for change in told]
        assert len(set(events)) == 4
        assert events == sorted(events, reverse=True), "the newest came first"

    def test_a_failed_delivery_is_tried_again(self, harness: TrelloHarness, inbox: WebhookInbox) -> None:
        harness.provider.ensure_webhook()
        inbox.statuses = [500, 503]
        harness.provider.create(INTENT)
        told = _told(harness, inbox)
        assert [status for status, _ in harness.simulator.webhooks.answers] == [500, 503, 200]
        assert len({change.event_id for change in told}) == 1

    def test_a_webhook_that_trello_switched_off_is_switched_on(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        harness.provider.ensure_webhook()
        (hook,) = harness.simulator.webhooks.known.values()
        inbox.statuses = [500] * 40
        for number in range(8):
            harness.simulator.board.create_card(
                {"name": f"n{number}", "idList": harness.simulator.board.lists[0]["id"]}
            )
        harness.simulator.webhooks.settle()
        assert not hook["active"]
        harness.provider.ensure_webhook()
        assert hook["active"]

    def test_a_webhook_that_was_deleted_is_made_again(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        harness.provider.ensure_webhook()
        inbox.statuses = [410]
        harness.provider.create(INTENT)
        harness.simulator.webhooks.settle()
        assert harness.simulator.webhooks.known == {}
        harness.provider.ensure_webhook()
        assert len(harness.simulator.webhooks.known) == 1

    def test_the_webhook_of_a_removed_integration_is_deregistered(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        del inbox
        harness.provider.ensure_webhook()
        (ours,) = harness.simulator.webhooks.known.values()
        other = {**ours, "id": "f" * 24, "callbackURL": f"{ours['callbackURL']}-other"}
        harness.simulator.webhooks.known[other["id"]] = other
        harness.provider.delete_webhook()
        assert list(harness.simulator.webhooks.known.values()) == [other]
        harness.provider.delete_webhook()

    def test_an_address_that_does_not_answer_is_said(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        inbox.head = 404
        with pytest.raises(Reject):
            harness.provider.ensure_webhook()

    def test_a_webhook_that_cannot_work_is_said(self, harness: TrelloHarness, inbox: WebhookInbox) -> None:
        inbox.head = 404
        with pytest.raises(Reject):
            harness.provider.ensure_webhook()
        assert "polling only: Trello refused" in harness.provider.health().detail
        inbox.head = 200
        harness.provider.ensure_webhook()
        assert harness.provider.health().detail == "Board found"

    def test_no_webhook_is_made_that_nobody_could_verify(
        self, harness: TrelloHarness, inbox: WebhookInbox
    ) -> None:
        del inbox
        settings = harness.settings.model_copy(update={"api_secret": None})
        provider = DECLARATION.make(settings, harness.context)
        provider.ensure_webhook()
        assert harness.simulator.webhooks.known == {}
        assert "no api_secret" in provider.health().detail

    def test_the_old_form_of_the_signature_is_believed(self, harness: TrelloHarness) -> None:
        url = "https://interactions.example/webhooks/integration-1"
        data = {"card": {"id": "c"}, "board": {"id": "b"}, "old": {"name": "é…"}}
        action = {"id": "a", "type": "updateCard", "date": "2026-01-02T03:04:05.678Z", "data": data}
        body = json.dumps({"action": action}, ensure_ascii=False)
        low = bytes(ord(character) & 0xFF for character in body)
        digest = hmac.new(SECRET.encode(), low + url.encode(), sha1).digest()
        headers = {"x-trello-webhook": base64.b64encode(digest).decode()}
        (change,) = harness.provider.verify_and_parse_webhook(headers, body.encode(), url)
        assert change.event_id == "a"

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"action":{"data":3}}', b"\xff\xfe", b"null"])
    def test_a_signed_body_of_another_form_is_refused(self, harness: TrelloHarness, body: bytes) -> None:
        url = "https://interactions.example/x"
        digest = hmac.new(SECRET.encode(), body + url.encode(), sha1).digest()
        headers = {"x-trello-webhook": base64.b64encode(digest).decode()}
        with pytest.raises(Reject) as caught:
            harness.provider.verify_and_parse_webhook(headers, body, url)
        assert (caught.value.code, caught.value.status) == ("bad_webhook", 400)

    def test_without_a_secret_nothing_is_believed(self, harness: TrelloHarness) -> None:
        settings = harness.settings.model_copy(update={"api_secret": None})
        digest = hmac.new(b"", b"{}https://x", sha1).digest()
        headers = {"x-trello-webhook": base64.b64encode(digest).decode()}
        with pytest.raises(Reject, match="does not match"):
            DECLARATION.make(settings, harness.context).verify_and_parse_webhook(headers, b"{}", "https://x")


class TestLimits:
    """The vendor's rate limits are respected, and the provider waits after a 429."""

    def test_a_refusal_waits_at_least_ten_seconds(self, harness: TrelloHarness) -> None:
        harness.simulator.limits.by_token = 0
        with pytest.raises(Retry) as caught:
            harness.provider.create(INTENT)
        assert caught.value.after is not None
        assert caught.value.after >= 10
        assert harness.object_count() == 0

    def test_the_declared_limits_keep_within_the_vendors(self, harness: TrelloHarness) -> None:
        # The vendor's proportions, at 1/20 of the time and 1/5 of the count.
        vendors = harness.simulator.limits = TrelloLimits(by_token=20, by_key=60, window=0.5)
        declared = [
            RateLimit(requests=each.requests // 5, seconds=each.seconds / 20) for each in DECLARATION.limits
        ]
        assert [each.requests for each in declared] < [vendors.by_token, vendors.by_key]
        buckets = SlidingWindowLimiter(declared)
        with make_client(buckets, public_addresses_only=False) as client:
            provider = DECLARATION.make(harness.settings, dataclasses.replace(harness.context, http=client))
            for _ in range(90):
                provider.health()
        assert vendors.refusals == 0
        assert vendors.most >= 10, "the limit was never near"

    def test_a_client_that_goes_on_is_locked_out(self) -> None:
        limits = TrelloLimits(by_token=10, by_key=300, window=1e9)
        for _ in range(10 + 201):
            limits.refuse("key", "one")
        assert limits.refuse("key", "another") == "API_KEY_LIMIT_EXCEEDED"
        assert limits.refusals == 202


class TestTokens:
    """OAuth 2.0, the other credential strategy."""

    def _settings(self, harness: TrelloHarness) -> TrelloSettings:
        return TrelloSettings(
            board_id=harness.simulator.board.id,
            client_id=CLIENT_ID,
            client_secret=SecretStr(CLIENT_SECRET),
            access_token=SecretStr("expired"),
            refresh_token=SecretStr("refresh-0"),
            api_url=harness.settings.api_url,
            token_url=harness.settings.token_url,
        )

    def test_an_expired_token_is_renewed_and_kept(self, harness: TrelloHarness) -> None:
        saved = SavedSecrets()
        context = dataclasses.replace(harness.context, save_secrets=saved)
        provider = DECLARATION.make(self._settings(harness), context)
        assert provider.create(INTENT).marker == "m-1"
        assert saved == {"access_token": "access-1", "refresh_token": "refresh-1"}
        assert saved.keys() <= TrelloSettings.secret_fields()
        harness.simulator.access_token = "access-of-tomorrow"
        assert provider.health().ok
        assert saved["refresh_token"] == "refresh-2"

    def test_threads_renew_once(self, harness: TrelloHarness) -> None:
        provider = DECLARATION.make(self._settings(harness), harness.context)
        harness.simulator.latency = 0.02
        with ThreadPoolExecutor(8) as pool:
            assert all(health.ok for health in pool.map(lambda _: provider.health(), range(16)))
        assert harness.simulator.refreshes == 1

    def test_a_revoked_grant_asks_for_a_person(self, harness: TrelloHarness) -> None:
        provider = DECLARATION.make(self._settings(harness), harness.context)
        with harness.revoked_credentials(), pytest.raises(NeedsAuth):
            provider.health()

    def test_one_way_in_is_asked_for(self) -> None:
        for given in (
            {},
            {"api_key": "k"},
            {"api_key": "k", "token": "t", "client_id": "c", "refresh_token": "r"},
        ):
            with pytest.raises(ValidationError, match="either api_key and token"):
                TrelloSettings.model_validate({"board_id": "b", **given})


class TestCards:
    """Edits of cards by users."""

    def test_a_person_archives_an_open_card(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.simulator.board.update_card(made.external_id, {"closed": True})
        seen = _read(harness, made.external_id)
        assert (seen.values["status"], seen.archived) == ("canceled", False)

    def test_putting_a_finished_card_away_keeps_it_done(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.simulator.board.update_card(made.external_id, {"dueComplete": True})
        harness.simulator.board.update_card(made.external_id, {"closed": True})
        assert _read(harness, made.external_id).values["status"] == "done"

    def test_a_person_brings_a_deleted_interactions_card_back(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.provider.archive(made.external_id)
        harness.simulator.board.update_card(made.external_id, {"closed": False})
        seen = _read(harness, made.external_id)
        assert (seen.values["status"], seen.archived, seen.marker) == ("planned", False, "m-1")

    def test_new_cards_go_to_a_list_that_is_open(self, harness: TrelloHarness) -> None:
        board = harness.simulator.board
        assert board.card(harness.provider.create(INTENT).external_id)["idList"] == board.lists[0]["id"]
        board.lists[0]["closed"] = True
        later = harness.provider.create(dataclasses.replace(INTENT, marker="m-2"))
        assert board.card(later.external_id)["idList"] == board.lists[1]["id"]
        board.lists[1]["closed"] = True
        with pytest.raises(NeedsAuth, match="no open list"):
            harness.provider.create(dataclasses.replace(INTENT, marker="m-3"))

    def test_a_named_list_that_is_archived_is_said(self, harness: TrelloHarness) -> None:
        board = harness.simulator.board
        settings = harness.settings.model_copy(update={"list_id": board.lists[1]["id"]})
        provider = DECLARATION.make(settings, harness.context)
        assert board.card(provider.create(INTENT).external_id)["idList"] == board.lists[1]["id"]
        board.lists[1]["closed"] = True
        with pytest.raises(NeedsAuth, match="`list_id`"):
            provider.create(dataclasses.replace(INTENT, marker="m-2"))
        assert harness.object_count() == 1

    def test_a_card_on_another_board_is_let_go(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        page = harness.provider.changes(None)
        board = harness.simulator.board
        board.move_card(made.external_id, "another board")
        assert [each.external_id for each in harness.provider.changes(page.cursor).changes][
            -1
        ] == made.external_id
        for answer in (
            harness.provider.read(made.external_id),
            harness.provider.archive(made.external_id),
            harness.provider.restore(made.external_id, FULL),
            harness.provider.update(made.external_id, {"title": "new"}, made),
        ):
            assert isinstance(answer, Gone)
            assert answer.elsewhere == "the card was moved to another board"
        assert made.external_id not in {each.external_id for each in harness.provider.changes(None).changes}
        board.move_card(made.external_id, None)
        assert _read(harness, made.external_id).marker == "m-1"

    def test_a_refusal_of_one_card_blocks_that_card_alone(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.simulator.refused_cards.add(made.external_id)
        with pytest.raises(Reject, match="HTTP 403"):
            harness.provider.update(made.external_id, {"title": "new"}, made)
        assert harness.provider.health().ok

    def test_a_missing_card_is_gone_only_while_the_board_is_there(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.simulator.vanished = True
        with pytest.raises(NeedsAuth, match="board does not exist"):
            harness.provider.read(made.external_id)
        harness.simulator.vanished = False
        harness.delete(made.external_id)
        assert harness.provider.read(made.external_id) == Gone(external_id=made.external_id)

    def test_a_comment_is_no_change(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        before = _read(harness, made.external_id)
        harness.simulator.skew = 120
        harness.simulator.board.comment(made.external_id)
        harness.simulator.board.update_card(
            made.external_id, {"idList": harness.simulator.board.lists[1]["id"]}
        )
        assert _read(harness, made.external_id).updated_at == before.updated_at
        harness.edit(made.external_id, {"title": "theirs"})
        after = _read(harness, made.external_id).updated_at
        assert after is not None
        assert before.updated_at is not None
        assert (after - before.updated_at).total_seconds() > 100

    def test_a_card_in_a_board_we_cannot_see_is_gone(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        harness.simulator.hidden_cards.add(made.external_id)
        seen = harness.provider.read(made.external_id)
        assert seen == Gone(external_id=made.external_id, elsewhere="the card was moved to another board")
        with harness.revoked_credentials(), pytest.raises(NeedsAuth):
            harness.provider.read(made.external_id)

    @pytest.mark.parametrize(
        ("desc", "body", "marker"),
        [
            ("text", "text", None),
            ("", None, None),
            ("---\nref:m-1", None, "m-1"),
            ("text\n\n***\n\nref:m-1\n", "text", "m-1"),
            ("text\n\n---\nref:m-1\n\nmore below", "text\n\nmore below", "m-1"),
            ("a\n\n---\nref:theirs\n\nb\n\n---\nref:m-1", "a\n\n---\nref:theirs\n\nb", "m-1"),
            ("the ref:m-1 in a sentence", "the ref:m-1 in a sentence", None),
        ],
    )
    def test_the_marker_stays_out_of_the_text(
        self, harness: TrelloHarness, desc: str, body: str | None, marker: str | None
    ) -> None:
        made = harness.provider.create(INTENT)
        harness.simulator.board.update_card(made.external_id, {"desc": desc})
        seen = _read(harness, made.external_id)
        assert (seen.values["body"], seen.marker) == (body, marker)

    def test_a_label_that_was_deleted_is_made_again(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        board = harness.simulator.board
        board.labels.clear()
        board.cards[made.external_id]["idLabels"] = []
        change = {"interaction_type": "call"}
        with pytest.raises(Retry):
            harness.provider.update(made.external_id, change, made)
        again = harness.provider.update(made.external_id, change, made)
        assert isinstance(again, RemoteObject)
        assert again.values["interaction_type"] == "call"

    def test_one_odd_card_does_not_stop_a_listing(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        board = harness.simulator.board
        board.create_card({"name": "odd", "due": "2999-01-01T00:00:00.000Z", "idList": board.lists[0]["id"]})
        page = harness.provider.changes(None)
        assert [change.external_id for change in page.changes] == [made.external_id]
        assert list(page.skip_counts.values()) == [1]

    def test_one_call_writes_all_fields(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        before = harness.simulator.writes
        harness.provider.update(made.external_id, {"title": "t", "body": "b", "status": "done"}, made)
        assert harness.simulator.writes == before + 1

    def test_a_refusal_names_the_field_and_not_its_value(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        with pytest.raises(Reject, match="desc") as caught:
            harness.provider.update(made.external_id, {"body": "secret text " * 2_000}, made)
        assert "secret text" not in str(caught.value)
        assert caught.value.code == "trello_desc"


class TestPages:
    """Listings and actions are paged; nothing is lost between pages."""

    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trello_board, "PAGE_SIZE", 3)

    def _drain(self, harness: TrelloHarness, cursor: str | None) -> tuple[str, list[RemoteChange]]:
        told: list[RemoteChange] = []
        while True:
            page = harness.provider.changes(cursor)
            told += page.changes
            cursor = page.cursor
            if not page.more:
                return cursor, told

    def _cards(self, harness: TrelloHarness, number: int) -> list[str]:
        board = harness.simulator.board
        fields: list[dict[str, Any]] = [
            {"name": f"card {n}", "idList": board.lists[0]["id"]} for n in range(number)
        ]
        return [board.create_card(each)["id"] for each in fields]

    @pytest.mark.parametrize("number", [0, 2, 3, 4, 6, 10])
    def test_a_listing_names_every_card(self, harness: TrelloHarness, number: int) -> None:
        cards = self._cards(harness, number)
        _, told = self._drain(harness, None)
        assert sorted(change.external_id for change in told) == sorted(cards)

    @pytest.mark.parametrize("number", [0, 2, 3, 4, 6, 10])
    def test_a_poll_names_every_changed_card(self, harness: TrelloHarness, number: int) -> None:
        cursor, _ = self._drain(harness, None)
        for _ in range(2):
            cards = self._cards(harness, number)
            cursor, told = self._drain(harness, cursor)
            assert {change.external_id for change in told} >= set(cards)

    def test_what_happens_between_two_pages_is_told_by_the_next_poll(self, harness: TrelloHarness) -> None:
        cursor, _ = self._drain(harness, None)
        first = self._cards(harness, 7)
        page = harness.provider.changes(cursor)
        assert page.more
        between = self._cards(harness, 2)
        cursor, rest = self._drain(harness, page.cursor)
        _, later = self._drain(harness, cursor)
        told = {change.external_id for change in (*page.changes, *rest, *later)}
        assert told >= {*first, *between}

    def test_an_action_that_shows_late_is_told(self, harness: TrelloHarness) -> None:
        cards = self._cards(harness, 1)
        cursor, _ = self._drain(harness, None)
        board = harness.simulator.board
        late = board.new_id()  # an id below that of the next action
        harness.edit(cards[0], {"title": "theirs"})
        cursor, _ = self._drain(harness, cursor)
        board.actions.append({**board.actions[-1], "id": late})
        _, told = self._drain(harness, cursor)
        assert late in {change.event_id for change in told}

    def test_a_poll_reports_each_action_once(self, harness: TrelloHarness) -> None:
        cards = self._cards(harness, 1)
        cursor, _ = self._drain(harness, None)
        for title in ("once", "twice"):
            for card in (*cards, *self._cards(harness, 4)):
                harness.edit(card, {"title": title})
            cursor, told = self._drain(harness, cursor)
            assert cards[0] in {change.external_id for change in told}
            for _ in range(3):  # all actions are within the overlap and already reported
                cursor, again = self._drain(harness, cursor)
                assert not again

    def test_the_oldest_copy_is_found_on_the_last_page(self, harness: TrelloHarness) -> None:
        made = harness.provider.create(INTENT)
        board = harness.simulator.board
        desc = board.card(made.external_id)["desc"]
        for _ in range(7):
            board.create_card({"name": "copy", "desc": desc, "idList": board.lists[0]["id"]})
        found = harness.provider.find_by_marker("m-1")
        assert found is not None
        assert found.external_id == made.external_id
