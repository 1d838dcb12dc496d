"""Tables of the pages' sessions: who is signed in, and sign-in links that were used."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from sinks.columns import instant, scope
from sinks.tables import metadata

web_sessions: Final = sa.Table(
    "web_sessions",
    metadata,
    # SHA-256 of the cookie's value. A copy of this table signs no one in.
    Column("id", BYTEA, primary_key=True),
    *scope(),
    Column("subject", Text, nullable=False),
    Column("features", ARRAY(Text), nullable=False),
    Column("display_name", Text),
    # Token that the session's forms carry.
    Column("csrf", Text, nullable=False),
    instant("created_at", now=True),
    # Written once per minute at most.
    instant("last_seen_at", now=True),
    instant("expires_at"),
    Index("ix_web_sessions_expires", "expires_at"),
)

used_sign_in_tickets: Final = sa.Table(
    "used_sign_in_tickets",
    metadata,
    Column("id", Text, primary_key=True),
    # The ticket is invalid afterwards, so that its row is no longer needed.
    instant("expires_at"),
    Index("ix_used_sign_in_tickets_expires", "expires_at"),
)
