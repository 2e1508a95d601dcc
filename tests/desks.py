"""The desk that most tests work on, the people on it, and how it comes to be."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import yaml

from shared.db.engine import Database
from shared.db.models import Desk
from shared.desks import apply, parse_desk_file
from tests.client import Caller, Connections, Experience, Json, caller
from tests.stack import RunningStack

ADA, LEO = "ada@vendor.example", "leo@vendor.example"
BOB, CAROL, DAVE = "bob@acme.example", "carol@acme.example", "dave@acme.example"
ERIN, MIA = "erin@other.example", "mia@partner.example"
STRANGER = "stranger@elsewhere.example"


def desk_file(profile: str = "standard", **over: Any) -> Json:
    """A desk file with a slug that no other has.

    Ada and Leo are its staff; Carol and Erin administer their accounts; Mia belongs to both.

    Args:
        profile: one of the built-in ones.
        over: keys that replace those below.
    """
    return {
        "desk": f"{profile}-{uuid.uuid4().hex[:8]}",
        "name": "Connect Support",
        "key": "CON",
        "profile": profile,
        "calendar": {"timezone": "Europe/London"},
        "products": ["ERP", "Analytics"],
        "case_types": ["Question", "Incident"],
        "severities": ["Critical", "High", "Low"],
        "staff": [
            {"email": ADA, "name": "Ada Vendor", "role": "agent"},
            {"email": LEO, "name": "Leo Vendor", "role": "lead"},
        ],
        "accounts": [
            {
                "key": "acme",
                "name": "Acme Ltd",
                "environments": ["Production", "Test"],
                "members": [
                    {"email": BOB, "name": "Bob Acme", "role": "member", "phone": "+44 20 7946 0000"},
                    {"email": CAROL, "name": "Carol Acme", "role": "admin"},
                    {"email": DAVE, "name": "Dave Acme", "role": "member"},
                    {"email": MIA, "name": "Mia Partner", "role": "member"},
                ],
            },
            {
                "key": "other",
                "name": "Other Ltd",
                "environments": ["Live"],
                "members": [
                    {"email": ERIN, "name": "Erin Other", "role": "admin"},
                    {"email": MIA, "name": "Mia Partner", "role": "member"},
                ],
            },
        ],
        "contacts": [
            {"label": "Sales", "email": "sales@vendor.example"},
            {"label": "Billing", "email": "billing@vendor.example"},
        ],
        "services": [
            {"name": "monitoring", "scopes": ["case.open", "case.comment"]},
            {"name": "reporting", "scopes": ["case.read", "events.read"]},
        ],
        **over,
    }


def desk_row(slug: str, **over: Any) -> Desk:
    """The row of a desk, for tests of what needs no more than that."""
    plain = {"name": slug, "key": "CON", "profile": "standard", "policy": {}, "policy_version": 1}
    lists = ("holidays", "products", "case_types", "severities", "contacts")
    plain["workdays"] = ["mon", "tue", "wed", "thu", "fri"]
    return Desk(**{"slug": slug, "timezone": "UTC"} | plain | {each: [] for each in lists} | over)


async def apply_to(database: Database, content: Json) -> list[str]:
    """Apply a desk file; returns what changed, in words."""
    return await apply(database, parse_desk_file("desk.yaml", yaml.safe_dump(content).encode()))


@dataclass(frozen=True)
class StackDesk:
    """A desk of the test's own on a running stack."""

    stack: RunningStack
    content: Json

    @property
    def slug(self) -> str:
        return str(self.content["desk"])

    def caller(
        self, connections: Connections, who: str, *, patience: float = 0, experience: Experience | None = None
    ) -> Caller:
        """One of its people, or a service account by name."""
        settings = self.stack.settings
        return caller(connections, settings, self.slug, who, patience=patience, experience=experience)


async def make_desk(stack: RunningStack, profile: str = "standard", **over: Any) -> StackDesk:
    """Apply a desk file to a running stack, as an operator would; arguments as of `desk_file`."""
    desk = StackDesk(stack, desk_file(profile, **over))
    file = stack.data_dir / f"{desk.slug}.yaml"
    file.write_text(yaml.safe_dump(desk.content))
    done = await asyncio.to_thread(stack.casebound, "desk", "apply", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return desk
