"""Use the tools for assistants: plan an interaction, and repeat the call as after a lost answer.

It starts ``interactions mcp``, as an assistant does. Set INTERACTIONS_MCP_TOKEN to a token, and CUSTOMER to
the id of a customer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import uuid

from mcp import Client, StdioServerParameters

PROGRAM = StdioServerParameters(
    command=sys.executable,
    args=["-m", "cli.main", "mcp"],  # an installed package: command="interactions", args=["mcp"]
    env={name: value for name, value in os.environ.items() if name.startswith("INTERACTIONS_")},
)


async def plan(customer: str) -> None:
    """Plan a call. The second call has the same key, so it changes nothing."""
    call = {
        "requestKey": str(uuid.uuid4()),
        "entityId": customer,
        "interactionType": "call",
        "title": "Ring back",
        "scheduledAt": "2027-03-01T09:00:00Z",
    }
    async with Client(PROGRAM) as client:
        for _ in range(2):
            answer = await client.call_tool("plan_interaction", call)
            print(answer.content[0].text)
            print(answer.structured_content["id"])


asyncio.run(plan(os.environ["CUSTOMER"]))
