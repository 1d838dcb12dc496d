"""The ledger worker of one integration: claims due rows and brings each up to date."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from typing import Final

import structlog

from connectors.store.ledger import SyncItem, claim, give_back
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.failure_policy import FailurePolicy
from connectors.sync.item import run_item
from connectors.sync.session import Session
from runtime.postgres import Connection, Outage
from schemas.errors import NeedsAuth, Stop

_log = structlog.get_logger("connectors")
_AT_ONCE: Final = 10
#: Requests that a unit usually needs: it is not begun before they may go, so that its lease is not spent
#: in a queue.
_REQUESTS: Final = 3
#: After that no other row is begun, so that a thread comes round to the other integrations.
_SLICE_SECONDS: Final = 2.0
#: Least time for all exchanges of one item; usually it is the lease, after which another may have the row.
_TURN_SECONDS: Final = 30.0
#: Pause of an item whose failure could not be handled.
_UNHANDLED: Final = timedelta(minutes=1)


class Worker:
    """Works for one link; several of them may, in threads with connections of their own.

    :param owner: names this worker on the rows that it has claimed; unique among all that run.
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

    def work(self, only: str | None = None, most: int = _AT_ONCE) -> int:
        """Claim what is due and work on it, row by row; the number of rows.

        A row that fails is given back for later and does not hold up the others.

        :param only: this interaction and no other.
        :raises Outage: the database is away; the leases run out by themselves.
        """
        room = self._breaker.admit(most)
        if room == 0:
            return 0
        # One row per claim: a lease must not run out while its row waits behind others.
        done, until = 0, time.monotonic() + _SLICE_SECONDS
        while done < room and time.monotonic() < until and self._session.has_capacity(_REQUESTS):
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
            try:
                with self._session.time_limit(max(_TURN_SECONDS, self._session.lease.total_seconds())):
                    run_item(self._session, self._connection, self._owner, items[0])
            except Outage:
                raise
            except Exception as error:  # noqa: BLE001 - a poisonous item must not stop the others
                self._failed(items[0], error)
                # Hazard: a row of an integration that was closed is due again at once.
                if self._breaker.open or isinstance(error, NeedsAuth | Stop):
                    break
            else:
                self._breaker.record_success()
        if done == 0:
            self._breaker.release()
        return done

    def _failed(self, item: SyncItem, error: Exception) -> None:
        """Give a failed row back; nothing that goes wrong with that can reach the other items."""
        try:
            self._failure_policy.handle(self._connection, self._owner, item, error)
        except Outage:
            raise
        except Exception as second:  # noqa: BLE001 - see above
            _log.error(
                "connectors.failure_not_handled",
                integration=item.integration_id,
                interaction=item.interaction_id,
                error=type(error).__name__,
                reason=type(second).__name__,
            )
            self._put_off(item, type(error).__name__)

    def _put_off(self, item: SyncItem, reason: str) -> None:
        again_at = self._session.now() + _UNHANDLED
        try:
            give_back(self._connection, item, self._owner, again_at=again_at, error=reason, failed=True)
        except Outage:
            raise
        except Exception as error:  # noqa: BLE001 - see above
            # The lease runs out by itself; then the row is due again.
            _log.error("connectors.row_not_given_back", reason=type(error).__name__)
