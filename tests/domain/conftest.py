from __future__ import annotations

import pytest

from shared.domain.profiles import STANDARD
from tests.domain.strategies import Case


@pytest.fixture
def case() -> Case:
    return Case.opened(STANDARD)
