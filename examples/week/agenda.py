"""Types, titles and priorities of interactions, in a realistic mix."""

from __future__ import annotations

import random
from typing import Any

_SUBJECTS: dict[str, tuple[str, ...]] = {
    "call": (
        "Call about the renewal", "Call back about the invoice", "Introduce the new account desk",
        "Ask how the delivery went", "Agree on the order volume", "Confirm the opening hours",
    ),
    "email": (
        "Send the price list", "Send the signed agreement", "Answer the question on delivery times",
        "Send the meeting notes", "Ask for the missing papers",
    ),
    "meeting": (
        "Quarterly review", "Walk through the proposal", "Planning for the next season", "Contract talk",
    ),
    "task": (
        "Prepare the quote", "Check the credit limit", "Update the delivery address", "Book the freight",
        "Draft the framework agreement",
    ),
    "site_visit": ("Visit the new premises", "Measure the floor", "Inspect the delivered goods"),
}  # fmt: skip
_WEIGHTS = {"call": 40, "email": 22, "meeting": 16, "task": 16, "site_visit": 6}
_PRIORITIES = (None, None, None, None, 20, 50, 50, 80)


def appointment(rng: random.Random, owner_ids: list[str]) -> dict[str, Any]:
    """Data of a new interaction, without its times."""
    kind = rng.choices(list(_WEIGHTS), weights=list(_WEIGHTS.values()))[0]
    data: dict[str, Any] = {
        # Users spell types freely; the dictionary normalises them to one code.
        "interactionType": "Site visit" if kind == "site_visit" and rng.random() < 0.5 else kind,
        "title": rng.choice(_SUBJECTS[kind]),
        "ownerUserId": rng.choice(owner_ids),
    }
    priority = rng.choice(_PRIORITIES)
    if priority is not None:
        data["priority"] = priority
    if rng.random() < 0.06:
        data["appearanceColor"] = rng.choice(("#2A6F97", "#B5651D", "#4C956C"))
    return data
