"""Example queries of the read model."""

OVERDUE = """
SELECT e.display_name AS customer, count(*) AS overdue, min(i.scheduled_at) AS since
FROM interactions i JOIN entities e ON e.id = i.entity_id
WHERE i.status = 'planned' AND i.scheduled_at < now()
GROUP BY e.id, e.display_name
ORDER BY overdue DESC, since
LIMIT 10
"""

COMPLETED_PER_WEEK = """
SELECT date_trunc('week', i.occurred_at)::DATE AS week, t.label AS type, count(*) AS completed
FROM interactions i
JOIN interaction_types t ON (t.tenant_id, t.organization_id, t.code)
    = (i.tenant_id, i.organization_id, i.interaction_type)
WHERE i.status = 'done'
GROUP BY ALL
ORDER BY week DESC, completed DESC, type
LIMIT 10
"""

NEXT_OF_DEALS = """
SELECT d.title AS deal, e.display_name AS customer, n.name AS next, n.scheduled_at
FROM deals d
JOIN entities e ON e.id = d.entity_id
LEFT JOIN next_interactions n ON n.entity_id = d.entity_id
ORDER BY n.scheduled_at NULLS LAST, deal
LIMIT 10
"""

#: Title → query.
QUERIES = {
    "Overdue follow-ups per customer": OVERDUE,
    "Completed interactions per week": COMPLETED_PER_WEEK,
    "Deals and the next interaction of their customers": NEXT_OF_DEALS,
}
