"""A monitoring service that comments on a case by a signal to its workflow, without waiting for an answer.

    python docs/examples/monitoring_signal.py standard 12 incident-4711 "It is 97 % now."

For services of your own that already work with Temporal; whoever may signal a workflow is trusted, there is no token.
It runs where casebound is installed. The settings say where Temporal is and with which keys its payloads are sealed:
CASEBOUND_DATA_DIR of an embedded stack, or else CASEBOUND_TEMPORAL_ADDRESS and CASEBOUND_PAYLOAD_KEYS.
"""

from __future__ import annotations

import asyncio
import sys

from shared.contracts.workflow import workflow_id
from shared.processes import leave
from shared.settings import load_settings
from shared.temporal import connect


async def main(desk: str, number: str, incident: str, text: str) -> None:
    temporal = await connect(load_settings())
    case = temporal.get_workflow_handle(workflow_id(desk, int(number)))
    await case.signal(
        "comment",
        {
            "command_id": f"{incident}-signal",
            "actor": {"kind": "service", "name": "monitoring"},
            "body": text,
        },
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
    leave()
