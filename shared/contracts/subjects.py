"""NATS subjects and streams (contract: NATS)."""

from __future__ import annotations

CASES_STREAM = "CASES"
DEAD_STREAM = "DEAD"
ADVISORIES_STREAM = "ADVISORIES"
"""Keeps the server's notices that a consumer has used up its deliveries, until the dead letters have been fetched."""

ALL_CASE_EVENTS = "cases.v1.>"
ALL_DEAD_LETTERS = "dead.v1.>"
SEARCH_QUERY = "search.v1.query"
SEARCH_NUMBERS = "search.v1.numbers"
"""All that a query finds, in parts; for exports."""
SEARCH_REINDEX = "search.v1.reindex"
SEARCH_QUEUE = "search"
WEBHOOK_TEST = "webhooks.v1.test"
"""Asks a notifier to send one test to a webhook now, and to answer how that went."""
COMMANDS = "commands.v1.*.*.*"
"""Desk, number of the case, command."""
COMMANDS_QUEUE = "commands"

INDEXER = "indexer"
"""Prefix of the search nodes' durable consumers: one for each copy of the index."""
NOTIFIER = "notifier"


def case_event(desk: str, number: int, event: str) -> str:
    """Subject of one event of one case."""
    return f"cases.v1.{desk}.{number}.{event}"


def dead_letter(consumer: str) -> str:
    """Subject of what that consumer gave up on."""
    return f"dead.v1.{consumer}"
