"""Ledger worker of one integration: claim due rows and sync each item."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import Final

import structlog

from connectors.store.integrations import read_integration
from connectors.store.ledger import SyncItem, claim, give_back
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.context import SyncContext
from connectors.sync.failure_policy import FailurePolicy
from connectors.sync.item import run_item
from connectors.sync.session import Session
from runtime.postgres import Connection, Outage
from schemas.errors import NeedsAuth, Stop

_log = structlog.get_logger("connectors")
_MOST_ROWS: Final = 10
#: Requests that an item usually needs. It starts only when the rate limit admits them, so that its lease
#: does not expire in a queue.
_REQUESTS: Final = 3
#: No further row is started after this time, so that the thread serves other integrations.
_SLICE_SECONDS: Final = 2.0
#: Minimum time for all exchanges of one item. Usually the lease is longer and bounds them.
_ITEM_SECONDS: Final = 30.0
#: Pause of an item whose failure could not be handled.
_UNHANDLED_PAUSE: Final = timedelta(minutes=1)


class Worker:
    """Worker for one provider session. Several may run in parallel, each with its own thread and connection.

    :param owner: lease holder name on claimed rows; unique among all running workers.
    """

    def __init__(
        self,
        session: Session,
        connection: Connection,
        owner: str,
        breaker: CircuitBreaker,
        chance: random.Random | None = None,
    ) -> None:
        self._session = session
        self._connection = connection
        self._owner = owner
        self._breaker = breaker
        self._failure_policy = FailurePolicy(session, breaker, chance or random.Random())

    def work(self, only: str | None = None, most: int = _MOST_ROWS) -> int:
        """Claim due rows and sync them one by one; return the number of rows.

        A row that fails is released for later and does not block the others.

        :param only: claim this interaction only.
        :raises Outage: the database is unavailable; leases expire by themselves.
        """
        admitted = self._breaker.admit(most)
        if admitted == 0:
            return 0
        # Hazard: claim one row at a time. A lease must not expire while its row waits behind others.
        done, until = 0, time.monotonic() + _SLICE_SECONDS
        while done < admitted and time.monotonic() < until and self._session.has_capacity(_REQUESTS):
            items = claim(
                self._connection,
                self._session.integration.id,
                self._owner,
                now=self._session.now(),
                lease=self._session.lease,
                limit=1,
                only=only,
            )
            if not items:
                break
            done += 1
            context = SyncContext(self._session, self._connection, self._owner, items[0])
            try:
                with self._session.time_limit(max(_ITEM_SECONDS, self._session.lease.total_seconds())):
                    run_item(context)
            except Outage:
                raise
            except Exception as error:  # noqa: BLE001 - a poison item must not stop the others
                self._failed(items[0], error)
                # Hazard: a row of an integration that was just stopped is due again immediately.
                if self._breaker.open or isinstance(error, NeedsAuth | Stop):
                    break
            else:
                self._breaker.record_success()
            finally:
                context.announce()
        if done == 0:
            self._breaker.release()
        return done

    def _failed(self, item: SyncItem, error: Exception) -> None:
        """Release a failed row; an error while doing so must not affect the other items."""
        try:
            self._failure_policy.handle(self._connection, self._owner, item, error)
        except Outage:
            raise
        except Exception as second:  # noqa: BLE001 - see above
            if read_integration(self._connection, item.integration_id) is None:
                return  # removed while the item was in flight: its rows are gone
            _log.error(
                "connectors.failure_not_handled",
                integration=item.integration_id,
                interaction=item.interaction_id,
                error=type(error).__name__,
                reason=type(second).__name__,
            )
            self._put_off(item, type(error).__name__)

    def _put_off(self, item: SyncItem, reason: str) -> None:
        again_at = self._session.now() + _UNHANDLED_PAUSE
        try:
            give_back(self._connection, item, self._owner, again_at=again_at, error=reason, failed=True)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            # The lease expires by itself; the row is due again then.
            _log.error("connectors.row_not_given_back", reason=type(error).__name__)
