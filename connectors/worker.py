"""The ledger worker of one integration: claims due rows and brings each up to date."""

from __future__ import annotations

import random
from typing import Final

from connectors.breaker import Breaker
from connectors.link import Link
from connectors.trouble import Trouble
from connectors.unit import run_unit
from runtime.postgres import Connection, Outage
from sinks.sync_ledger import claim

_AT_ONCE: Final = 10
#: Requests that a unit usually needs: it is not begun before they may go, so that its lease is not spent
#: in a queue.
_REQUESTS: Final = 3


class Worker:
    """Works for one link; several of them may, in threads with connections of their own.

    :param owner: names this worker on the rows that it has claimed; unique among all that run.
    """

    def __init__(
        self,
        link: Link,
        connection: Connection,
        owner: str,
        breaker: Breaker,
        chance: random.Random | None = None,
    ) -> None:
        self._link = link
        self._connection = connection
        self._owner = owner
        self._breaker = breaker
        self._trouble = Trouble(link, breaker, chance or random.Random())

    def work(self, only: str | None = None, most: int = _AT_ONCE) -> int:
        """Claim what is due and work on it, row by row; the number of rows.

        A row that fails is given back for later and does not hold up the others.

        :param only: this interaction and no other.
        :raises Outage: the database is away; the leases run out by themselves.
        """
        room = self._breaker.room(most)
        if room == 0:
            return 0
        # One row a claim: a lease must not run out while its row waits behind others.
        done = 0
        while done < room and self._link.has_room(_REQUESTS):
            units = claim(
                self._connection,
                self._link.integration.id,
                self._owner,
                now=self._link.now(),
                lease=self._link.lease,
                limit=1,
                only=only,
            )
            if not units:
                break
            done += 1
            try:
                run_unit(self._link, self._connection, self._owner, units[0])
            except Outage:
                raise
            except Exception as error:  # noqa: BLE001 - a poisonous item must not stop the others
                self._trouble.take(self._connection, self._owner, units[0], error)
                if self._breaker.open:
                    break
            else:
                self._breaker.succeeded()
        if done == 0:
            self._breaker.unused()
        return done
