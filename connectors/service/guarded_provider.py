"""Guard around a provider: whatever its code returns or raises affects its own integration only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, TypeVar

import structlog

from connectors.sdk.digest import Digest
from connectors.sdk.provider import Provider
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject
from schemas.errors import Skip
from schemas.identity import derive_id

_log = structlog.get_logger("connectors")
#: Longest id in bytes; Postgres cannot index a longer one.
_MAX_ID_BYTES: Final = 1000
_MAX_DETAIL: Final = 300
Found = TypeVar("Found")


class ProviderDefect(Exception):
    """A provider has raised what is no ``Exception``, or returned an object of another type."""


@contextmanager
def contained() -> Iterator[None]:
    """Turn what a library may raise beside ``Exception`` (``SystemExit``, a panic) into a defect.

    :raises ProviderDefect: such an object was raised.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise ProviderDefect(f"raised {type(error).__name__}") from error


class GuardedProvider(Provider):
    """Provider that checks the types of another one's results, and that their ids can be stored.

    An object whose id cannot be stored is skipped; in a page, the others are kept.
    """

    def __init__(self, inner: Provider, integration_id: str) -> None:
        self._inner = inner
        self._integration_id = integration_id

    def create(self, intent: Intent) -> RemoteObject:
        with contained():
            return _object(self._inner.create(intent))

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        with contained():
            return _object_or_gone(self._inner.update(external_id, changes, base))

    def archive(self, external_id: str) -> RemoteObject | Gone:
        with contained():
            return _object_or_gone(self._inner.archive(external_id))

    def erase(self, external_id: str) -> None:
        with contained():
            self._inner.erase(external_id)

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        with contained():
            return _object_or_gone(self._inner.restore(external_id, values))

    def health(self) -> Health:
        with contained():
            found = _of_type(Health, self._inner.health())
        detail = "".join(each if each.isprintable() else " " for each in str(found.detail))
        return Health(ok=bool(found.ok), detail=detail[:_MAX_DETAIL])

    def read(self, external_id: str) -> RemoteObject | Gone:
        with contained():
            return _object_or_gone(self._inner.read(external_id))

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        with contained():
            found = self._inner.find_by_marker(marker)
        return None if found is None else _object(found)

    def changes(self, cursor: str | None) -> ChangePage:
        with contained():
            page = _of_type(ChangePage, self._inner.changes(cursor))
        if not is_storable(page.cursor, None):
            raise ProviderDefect("returned a cursor that cannot be stored")
        skipped = {each: str(reason) for each, reason in page.skipped.items() if is_storable(each)}
        return replace(page, changes=tuple(self._usable(page.changes)), skipped=skipped)

    def verify_and_parse_webhook(
        self, headers: Mapping[str, str], raw_body: bytes, url: str
    ) -> list[RemoteChange]:
        with contained():
            return list(self._usable(self._inner.verify_and_parse_webhook(headers, raw_body, url)))

    def send_digest(self, digest: Digest) -> None:
        with contained():
            self._inner.send_digest(digest)

    def ensure_webhook(self) -> None:
        with contained():
            self._inner.ensure_webhook()

    def delete_webhook(self) -> None:
        with contained():
            self._inner.delete_webhook()

    def _usable(self, changes: Any) -> Iterator[RemoteChange]:
        """The changes with ids that can be stored; the others are logged, since nothing else shows them."""
        for change in changes:
            if not is_storable(_of_type(RemoteChange, change).external_id):
                _log.warning("connectors.change_skipped", integration=self._integration_id)
                continue
            event = change.event_id
            if not is_storable(event):
                event = derive_id("event", change.external_id, repr(event))
            state = change.state
            if state is not None and not is_storable(state.marker):
                state = replace(state, marker=None)
            at = change.occurred_at
            known = isinstance(at, datetime) and at.tzinfo is not None
            yield replace(change, event_id=event, state=state, occurred_at=at if known else None)


def is_storable(text: object, most: int | None = _MAX_ID_BYTES) -> bool:
    """Report whether a text can be an id in Postgres: UTF-8 without NUL, not empty and not too long.

    :param most: maximum number of bytes.
    """
    if not isinstance(text, str) or not text or "\x00" in text:
        return False
    try:
        size = len(text.encode())
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return most is None or size <= most


def _object(found: object) -> RemoteObject:
    """Check an object.

    :raises Skip: its id or its version cannot be stored.
    """
    checked = _of_type(RemoteObject, found)
    if not is_storable(checked.external_id):
        raise Skip("its id cannot be stored")
    if checked.version is not None and not is_storable(checked.version, None):
        raise Skip("its version cannot be stored")
    marker = checked.marker if is_storable(checked.marker) else None
    url = checked.url if is_storable(checked.url, None) else None
    return replace(checked, marker=marker, url=url)


def _object_or_gone(found: object) -> RemoteObject | Gone:
    return found if isinstance(found, Gone) else _object(found)


def _of_type(wanted: type[Found], found: object) -> Found:
    if not isinstance(found, wanted):
        raise ProviderDefect(f"returned {type(found).__name__} where {wanted.__name__} was expected")
    return found
