"""A monitoring service that reports an incident over NATS: it opens a case and comments on it.

    export CASEBOUND_NATS_URL=nats://127.0.0.1:4222 CASEBOUND_DESK=standard
    export CASEBOUND_TOKEN=$(casebound token monitoring --desk standard | tail -n 1)
    python docs/examples/monitoring_nats.py incident-4711

Needs nats-py. The bodies and answers are those of HTTP; the header Casebound-Status says how it went. The address of
an embedded NATS is in DATA_DIR/stack.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import nats
import nats.errors
from nats.aio.client import Client

PATIENCE_SECONDS = 60
HEADERS = {"Authorization": f"Bearer {os.environ['CASEBOUND_TOKEN']}"}


async def command(nc: Client, number: int | str, name: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a command until it is answered."""
    subject = f"commands.v1.{os.environ['CASEBOUND_DESK']}.{number}.{name}"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                answer = await nc.request(subject, json.dumps(body).encode(), timeout=15, headers=HEADERS)
            except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
                await asyncio.sleep(1)
                continue
            content: dict[str, Any] = json.loads(answer.data)
            status = int((answer.headers or {})["Casebound-Status"])
            if status < 400:
                return content
            if status != 503:
                sys.exit(f"refused: {content['detail']}")
            await asyncio.sleep(float((answer.headers or {})["Retry-After"]))


async def main(incident: str) -> None:
    nc = await nats.connect(os.environ["CASEBOUND_NATS_URL"], inbox_prefix=b"_INBOX_monitoring")
    case = await command(
        nc,
        "new",
        "open",
        {
            "command_id": f"{incident}-open",
            "subject": f"Disk almost full on db-2 ({incident})",
            "description": "95 % of /var/lib is used.",
            "severity": "High",
            "account": os.environ.get("CASEBOUND_ACCOUNT", "acme"),
        },
    )
    comment = await command(
        nc, case["number"], "comment", {"command_id": f"{incident}-comment", "body": "It was 90 % an hour ago."}
    )
    await nc.close()
    print(json.dumps({"case": case["number"], "comment": comment["seq"]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
