"""Customers, deals and interactions that rows of an import refer to, noted in its temporary tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from runtime.postgres import Connection


def first_seen(connection: Connection, what: str, keys: Sequence[str]) -> set[str]:
    """Note keys as seen, and return those that were not."""
    rows = connection.execute(
        "INSERT INTO legacy_import_seen SELECT %s, unnest(%s::uuid[]) ON CONFLICT DO NOTHING"
        " RETURNING key::text",
        (what, list(keys)),
    )
    return {row[0] for row in rows}


def note_deleted_customers(connection: Connection, ids: Collection[str]) -> None:
    """Note customers that are deleted in the source: their rows stay out."""
    connection.execute(
        "INSERT INTO legacy_import_deleted_customers SELECT unnest(%s::uuid[]) ON CONFLICT DO NOTHING",
        (list(ids),),
    )


def note_withheld(connection: Connection, rows: Collection[tuple[str, str, str]]) -> None:
    """Note interactions that stay out, so that the old row behind one stays out, too.

    :param rows: id, customer and reason of each.
    """
    ids, entities, reasons = ([row[part] for row in rows] for part in range(3))
    connection.execute(
        "INSERT INTO legacy_import_withheld SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[])"
        " ON CONFLICT DO NOTHING",
        (ids, entities, reasons),
    )


def note_deal_customers(connection: Connection, pairs: Collection[tuple[str, str]], *, company: bool) -> None:
    """Note customers of deals."""
    connection.execute(
        "INSERT INTO legacy_import_deals SELECT d, e, %s FROM unnest(%s::uuid[], %s::uuid[]) AS p (d, e)"
        " ON CONFLICT DO NOTHING",
        (company, [pair[0] for pair in pairs], [pair[1] for pair in pairs]),
    )


def erased_customers(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those customers that were erased here."""
    rows = connection.execute(
        "SELECT entity_id::text FROM erased_entities WHERE entity_id = ANY(%s::uuid[])", (list(ids),)
    )
    return {row[0] for row in rows}


def deal_customers(connection: Connection, deals: Collection[str]) -> dict[str, tuple[str, int]]:
    """The customer of each deal that has a known one, and the number of its further known ones.

    A deal that is stored already keeps its customer. Among several, a company comes first, then the lowest
    id. A customer is known if it is stored, or, in a dry run, if its row was read.
    """
    rows = connection.execute(
        """
        SELECT p.deal_id::text, (array_agg(p.entity_id::text ORDER BY
            EXISTS (SELECT FROM customer_deals d WHERE d.id = p.deal_id AND d.entity_id = p.entity_id) DESC,
            p.company DESC, p.entity_id))[1], count(*) - 1
        FROM legacy_import_deals p
        WHERE p.deal_id = ANY(%s::uuid[])
          AND (EXISTS (SELECT FROM customer_entities e WHERE e.id = p.entity_id)
            OR EXISTS (SELECT FROM legacy_import_seen k
              WHERE k.what = 'read_customer' AND k.key = p.entity_id))
        GROUP BY 1
        """,
        (list(deals),),
    )
    return {deal: (entity, further) for deal, entity, further in rows}
