"""One desk for each file of tests, of the profile that the file names."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.rules.desks import RuleDesk, rule_desk
from tests.stack import RunningStack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(stack: RunningStack, request: pytest.FixtureRequest) -> AsyncIterator[RuleDesk]:
    """A desk of the profile that the module names in ``PROFILE``, over it what ``OVER`` says."""
    async with rule_desk(stack, request.module.PROFILE, **getattr(request.module, "OVER", {})) as made:
        yield made
