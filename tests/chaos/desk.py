"""The desk that load and fault tests work on."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import yaml

from tests.client import Caller, Connections, Experience, caller
from tests.stack import RunningStack

BOB, CAROL = "bob@acme.example", "carol@acme.example"
ADA, LEO = "ada@vendor.example", "leo@vendor.example"


def new_word() -> str:
    """A word that no other text has."""
    return f"word{uuid.uuid4().hex}"


def _desk_file(slug: str) -> dict[str, Any]:
    return {
        "desk": slug,
        "name": "Load Support",
        "key": "LOAD",
        "profile": "standard",
        "calendar": {"timezone": "Europe/London", "workdays": ["mon", "tue", "wed", "thu", "fri"], "holidays": []},
        "products": ["ERP"],
        "case_types": ["Question"],
        "severities": ["High", "Low"],
        "staff": [
            {"email": ADA, "name": "Ada Vendor", "role": "agent"},
            {"email": LEO, "name": "Leo Vendor", "role": "lead"},
        ],
        "accounts": [
            {
                "key": "acme",
                "name": "Acme Ltd",
                "environments": ["Production"],
                "members": [
                    {"email": BOB, "name": "Bob Acme", "role": "member"},
                    {"email": CAROL, "name": "Carol Acme", "role": "member"},
                ],
            }
        ],
    }


@dataclass(frozen=True)
class TestDesk:
    """A desk of the test's own on a running stack."""

    __test__ = False

    stack: RunningStack
    slug: str

    def caller(
        self, connections: Connections, who: str, *, patience: float = 0, experience: Experience | None = None
    ) -> Caller:
        """One of its people."""
        settings = self.stack.settings
        return caller(connections, settings, self.slug, who, patience=patience, experience=experience)


async def make_desk(stack: RunningStack) -> TestDesk:
    """Apply a desk file, as an operator would."""
    slug = f"load-{uuid.uuid4().hex[:8]}"
    file = stack.data_dir / f"{slug}.yaml"
    file.write_text(yaml.safe_dump(_desk_file(slug)))
    done = await asyncio.to_thread(stack.casebound, "desk", "apply", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    return TestDesk(stack, slug)
