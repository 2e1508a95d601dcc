"""Receives webhooks: verifies each, tells repetitions by their id, and prints every event once, as a line of JSON.

    python docs/examples/webhook_receiver.py --port 9000 --secret whsec_… [--fail-first 2]

Needs standardwebhooks. The desk file names its address, its events and the same secret:

    webhooks:
      - {url: "http://127.0.0.1:9000/cases", events: ["case.*"], secret: "whsec_…"}

A development stack sends to this machine if it was started with CASEBOUND_WEBHOOK_ALLOWED_NETWORKS=127.0.0.0/8.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

SEEN: set[str] = set()  # a service of yours keeps the ids in its database, together with what the event changed


class Receiver(BaseHTTPRequestHandler):
    secret = ""
    failures_left = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = Webhook(self.secret).verify(body, dict(self.headers))
        except WebhookVerificationError:
            self.answer(401)
            return
        if Receiver.failures_left > 0:
            Receiver.failures_left -= 1
            self.answer(500)
            return
        message_id = self.headers["webhook-id"]
        if message_id not in SEEN:
            SEEN.add(message_id)
            print(json.dumps(event), flush=True)
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print events alone."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=9000, help="0 for any that is free")
    parser.add_argument("--secret", required=True)
    parser.add_argument("--fail-first", type=int, default=0, help="answer 500 so often, to see the retries")
    given = parser.parse_args()
    Receiver.secret, Receiver.failures_left = given.secret, given.fail_first
    server = HTTPServer(("127.0.0.1", given.port), Receiver)
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()
