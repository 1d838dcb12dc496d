# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of provider requests: deadlines, pauses, fair shares, references and entity tags."""

from __future__ import annotations

from tests.faults.mutants.catalogue import mutant

_UNIT = "test:tests/unit/connectors"


@mutant(
    "a deadline holds for each operation, not for the whole exchange",
    f"{_UNIT}/test_bounded_transport.py::test_a_server_that_keeps_an_exchange_going_is_left[_drip_body]",
)
def deadline_for_each_operation() -> None:
    from connectors.sdk.bounded_transport import Deadline

    Deadline.left = lambda self, at_most=None: self.seconds if at_most is None else at_most


@mutant(
    "a pause that a provider asks for has no end",
    f"{_UNIT}/test_bounded_transport.py::test_retry_after_is_read_in_both_forms",
)
def retry_after_without_end() -> None:
    from connectors.sdk import http_errors

    http_errors.bounded_pause = lambda seconds: seconds or 0.0


@mutant(
    "a poll continues although its pages make no progress",
    f"{_UNIT}/test_pages.py::test_the_same_cursor_without_a_change_is_tried_again_later",
)
def poll_without_progress() -> None:
    from connectors.sync import pages

    pages.is_known = lambda _cursor, _seen: False
    pages._MOST_PAGES = 10**9


@mutant(
    "a hostile integration gets unlimited threads",
    f"{_UNIT}/test_fair_share.py::test_hostile_integrations_never_take_all_threads",
)
def threads_without_shares() -> None:
    from connectors.service.fair_share import FairShare, _Running

    def acquire(self: FairShare, integration: str) -> bool:
        import threading

        with self._lock:
            self._running[threading.get_ident()] = _Running(integration, self._clock())
        return True

    FairShare.acquire = acquire


@mutant(
    "a server's reference is put behind the origin as it is",
    f"{_UNIT}/test_same_origin.py::test_a_reference_is_resolved_before_its_origin_is_compared",
)
def reference_not_resolved() -> None:
    from urllib.parse import urlsplit

    from connectors.sdk import same_origin

    same_origin.local_path = lambda _base, reference: urlsplit(reference).path


@mutant(
    "a weak tag is sent in If-Match",
    f"{_UNIT}/test_same_origin.py::test_only_the_tag_of_the_very_bytes_is_for_writes",
)
def weak_tag_in_if_match() -> None:
    from connectors.providers.caldav import entity_tags

    entity_tags.is_strong = lambda tag: tag is not None
