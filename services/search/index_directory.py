"""The directory of this node's copy of the index: which copy answers, and who may write it.

``current`` names the subdirectory of the copy that answers; ``node.json`` says which consumer feeds it; ``lock`` is
held by the process that uses the directory.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from services.search.index import CaseIndex, IndexBrokenError
from services.search.tantivy_index import TantivyIndex
from services.search.tantivy_schema import SCHEMA_VERSION
from shared.telemetry import get_logger

_PREFIX: Final = f"v{SCHEMA_VERSION}-"
_LOCK_SECONDS: Final = 10.0
_log = get_logger(__name__)


class IndexDirectoryInUseError(Exception):
    """Another process uses the directory."""


class Node(BaseModel):
    """The consumer that feeds this copy.

    Args:
        id: names the consumer ``indexer-{id}``.
        consumer_created: when the server made it; another time means that it is another consumer.
    """

    id: str
    consumer_created: datetime | None = None


class IndexDirectory:
    """One node's copies: the one that answers, and others only while a new one is being built.

    Args:
        path: made if it does not exist. Everything in it may be deleted at any time.

    Raises:
        IndexDirectoryInUseError: another search service uses it and did not stop within 10 seconds.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path)

    def open_current(self) -> CaseIndex | None:
        """The copy that answered last; None if there is none, or it is damaged or of another version."""
        name = self._current_name()
        if not name.startswith(_PREFIX) or not (self.path / name).is_dir():
            return None
        try:
            return TantivyIndex(self.path / name)
        except IndexBrokenError as error:
            _log.warning("index is damaged and will be built anew", error=str(error))
            return None

    def create(self) -> CaseIndex:
        """A new, empty copy beside the current one."""
        directory = self.path / f"{_PREFIX}{uuid4().hex}"
        directory.mkdir(parents=True)
        return TantivyIndex(directory, new=True)

    def promote(self, index: CaseIndex) -> None:
        """From now on, after a restart too, this copy answers."""
        self._write("current", index.name)

    def sweep(self) -> None:
        """Remove all copies but the current one: replaced ones, and those whose making was broken off."""
        current = self._current_name()
        for path in self.path.iterdir():
            if path.is_dir() and path.name != current:
                shutil.rmtree(path, ignore_errors=True)

    def node(self) -> Node:
        """The consumer that feeds this copy; a new one, not yet made, if none is noted."""
        with contextlib.suppress(OSError, ValidationError):
            return Node.model_validate_json((self.path / "node.json").read_bytes())
        return Node(id=uuid4().hex[:12])

    def note(self, node: Node) -> None:
        """Remember the consumer that feeds this copy."""
        self._write("node.json", node.model_dump_json())

    def close(self) -> None:
        """Let others use the directory."""
        self._lock.close()

    def _current_name(self) -> str:
        try:
            return (self.path / "current").read_text().strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def _write(self, name: str, text: str) -> None:
        """Replace a file whole, so that a crash leaves the old one or the new one."""
        self.path.mkdir(parents=True, exist_ok=True)
        new = self.path / f"{name}.new"
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path / name)
        directory = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def _locked(path: Path) -> IO[str]:
    """Lock the directory. The kernel frees the lock when its holder dies, however it dies."""
    file = (path / "lock").open("w")
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.close()
                raise IndexDirectoryInUseError(
                    f"another search service uses {path}; stop it, or give this one a directory of its own with "
                    "CASEBOUND_SEARCH_INDEX_DIR"
                ) from None
            time.sleep(0.1)
        else:
            return file
