"""Remove the texts of an erased customer from the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from domain.erasure import scrubbed
from domain.journal import Facts
from runtime.postgres import Connection
from sinks.erasure.erased import ErasedCustomer
from sinks.journal_rows import ENTRY, entry_of

_OF_CUSTOMER: Final = (
    "j.entity_id = %(entity)s AND j.tenant_id = %(tenant)s AND j.organization_id = %(organization)s"
)
# A rejection has no texts, and the erasure itself has ids only. Hazard: the facts of a rejection may name a
# field with a NUL character, on which Postgres fails when it reads a member; CASE keeps it from trying.
_IDS_SQL: Final = f"""
SELECT j.command_id FROM journal j WHERE {_OF_CUSTOMER} AND CASE WHEN j.outcome = 'rejected' THEN false
  ELSE j.facts -> 'erased' IS NULL AND j.facts -> 'scrubbed' IS NULL
    AND (j.facts IS NOT NULL OR j.undo IS NOT NULL
      OR coalesce(j.result ->> 'nextInteraction', j.result ->> 'undoToken') IS NOT NULL) END
"""  # noqa: S608 - constant text
_ENTRIES_SQL: Final = f"""
SELECT {ENTRY} FROM journal j
WHERE j.tenant_id = %s AND j.organization_id = %s AND j.command_id = ANY(%s) AND j.facts IS NOT NULL
"""  # noqa: S608 - our own column names
_SCRUB_SQL: Final = """
UPDATE journal j SET facts = w.facts::json FROM unnest(%s::text[], %s::text[]) AS w (command_id, facts)
WHERE j.tenant_id = %s AND j.organization_id = %s AND j.command_id = w.command_id
"""
# Rows from before the journal.
_SCRUB_OLD_SQL: Final = """
UPDATE journal j SET undo = NULL,
  result = (j.result::jsonb || '{"nextInteraction": null, "undoToken": null}')::json
WHERE j.tenant_id = %s AND j.organization_id = %s AND j.command_id = ANY(%s) AND j.facts IS NULL
  AND j.result IS NOT NULL
"""
# Interactions that were deleted before, unless another customer uses their ids now.
_DELETED_SQL: Final = f"""
INSERT INTO erased_interactions (interaction_id, tenant_id, organization_id, entity_id, version)
SELECT j.interaction_id, j.tenant_id, j.organization_id, j.entity_id, max(j.retired_version)
FROM journal j WHERE {_OF_CUSTOMER} AND j.retired_version IS NOT NULL
  AND NOT EXISTS (SELECT FROM customer_interactions i WHERE i.id = j.interaction_id)
GROUP BY j.interaction_id, j.tenant_id, j.organization_id, j.entity_id
ON CONFLICT (interaction_id) DO UPDATE SET tenant_id = excluded.tenant_id,
  organization_id = excluded.organization_id, entity_id = excluded.entity_id, version = excluded.version
  WHERE erased_interactions.version < excluded.version
"""  # noqa: S608 - constant text
_encode: Final = msgspec.json.Encoder().encode


def note_deleted_interactions(connection: Connection, customer: ErasedCustomer) -> int:
    """Note the interactions that were deleted before their customer was erased; return their number.

    It looks through the whole journal, which has no index by customer.
    """
    return connection.execute(_DELETED_SQL, _parameters(customer)).rowcount


def entries_to_scrub(connection: Connection, customer: ErasedCustomer) -> list[str]:
    """List the command ids of the customer's entries that still have texts.

    It looks through the whole journal. Hazard: in a statement of its own, because the relay waits for the
    end of every transaction that writes.
    """
    return [row[0] for row in connection.execute(_IDS_SQL, _parameters(customer))]


def scrub(connection: Connection, customer: ErasedCustomer, command_ids: Sequence[str]) -> int:
    """Remove the texts of some entries; return the number of entries. Idempotent."""
    scope = customer.tenant_id, customer.organization_id
    entries = [entry_of(row) for row in connection.execute(_ENTRIES_SQL, (*scope, list(command_ids)))]
    facts = {
        entry.command_id: _encode(scrubbed(entry)).decode()
        for entry in entries
        if isinstance(entry.facts, Facts) and entry.facts.scrubbed is None and entry.facts.erased is None
    }
    done = connection.execute(_SCRUB_SQL, (list(facts), list(facts.values()), *scope)).rowcount
    return done + connection.execute(_SCRUB_OLD_SQL, (*scope, list(command_ids))).rowcount


def _parameters(customer: ErasedCustomer) -> dict[str, str]:
    return {
        "entity": customer.entity_id,
        "tenant": customer.tenant_id,
        "organization": customer.organization_id,
    }
