"""A monitoring service that reports an incident over HTTP: it opens a case and comments on it.

    export CASEBOUND_API=http://127.0.0.1:8000 CASEBOUND_DESK=standard
    export CASEBOUND_TOKEN=$(casebound token monitoring --desk standard | tail -n 1)
    python docs/examples/monitoring_http.py incident-4711

Needs Python alone. Every command carries a command_id of its own, made from the incident's name. So it may be sent as
often as one likes, after a lost answer or by a service that has forgotten what it did: it is carried out once.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

PATIENCE_SECONDS = 60


def command(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a command until it is answered."""
    desk = f"{os.environ['CASEBOUND_API']}/api/v1/desks/{os.environ['CASEBOUND_DESK']}"
    headers = {"Authorization": f"Bearer {os.environ['CASEBOUND_TOKEN']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{desk}{path}", json.dumps(body).encode(), headers)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        pause = 1.0
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                content: dict[str, Any] = json.load(answer)
                return content
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > deadline:
                sys.exit(f"refused: {json.load(error)['detail']}")
            pause = float(error.headers["Retry-After"])
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(pause)


def main(incident: str) -> None:
    case = command(
        "/cases",
        {
            "command_id": f"{incident}-open",
            "subject": f"Disk almost full on db-1 ({incident})",
            "description": "95 % of /var/lib is used.",
            "severity": "High",
            "account": os.environ.get("CASEBOUND_ACCOUNT", "acme"),
        },
    )
    comment = command(
        f"/cases/{case['number']}/comments",
        {"command_id": f"{incident}-comment", "body": "It was 90 % an hour ago."},
    )
    print(json.dumps({"case": case["number"], "comment": comment["seq"]}))


if __name__ == "__main__":
    main(sys.argv[1])
