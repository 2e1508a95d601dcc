"""A store of its own and no settings of the machine for every telemetry test."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import telemetry
from shared.settings import Settings


@pytest.fixture(autouse=True)
def _no_otel_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    handlers = logging.getLogger().handlers[:]
    yield
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "spans" / "spans.sqlite"


@pytest.fixture
def traced(store: Path) -> Iterator[telemetry.Telemetry]:
    active = telemetry.setup("api", Settings(span_store=store, traced_reads=1))
    yield active
    active.shutdown()
