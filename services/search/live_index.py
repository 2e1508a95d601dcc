"""The index that answers, kept up to date, and exchanged for a new one without a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from services.search.index import CaseDocument, CaseIndex, Copies, IndexBrokenError
from shared.contracts.search import NumbersPart, SearchAnswer, SearchQuery
from shared.telemetry import get_logger

ReadCases = Callable[[Collection[UUID]], Awaitable[list[CaseDocument]]]

P = ParamSpec("P")
T = TypeVar("T")

_log = get_logger(__name__)


class IndexNotReadyError(Exception):
    """There is no index yet that could answer."""


class LiveIndex:
    """This node's index.

    While a new copy is being built, every change goes to both. Reading changed cases and writing their documents is one
    step under one lock: whoever writes later has also read later, so that no document is ever replaced by an older one.
    Filling the new copy reads without the lock, and leaves out what changed since the copy was begun, which is newer.

    Args:
        copies: where they are kept.
        read: reads cases as they are now.
    """

    def __init__(self, copies: Copies, read: ReadCases) -> None:
        self._copies = copies
        self._read = read
        self._current = copies.open_current()
        self._next: CaseIndex | None = None
        self._newer: set[UUID] = set()
        """Cases that the new copy got because they changed."""
        self._writing = asyncio.Lock()
        self._committed = asyncio.Condition()
        self.broken = asyncio.Event()
        """Set when the index can't be used any more and has to be built anew."""
        self.ready = asyncio.Event()
        """Set once there is an index that answers."""
        if self._current:
            self.ready.set()
        copies.sweep()

    async def refresh(self, ids: Collection[UUID]) -> Sequence[CaseDocument]:
        """Bring these cases up to date, durably and visibly.

        Returns:
            Their documents; cases that don't exist are taken out of the index and have none.

        Raises:
            IndexBrokenError: the index can't be written; ``broken`` is set.
        """
        async with self._writing:
            current = self._usable()
            documents = await self._read(ids)
            gone = {str(case_id) for case_id in ids} - {case.id for case in documents}
            await self._write_next(_write, documents, gone)
            self._newer.update(ids if self._next else ())
            try:
                await _unbroken(_write_durably, current, documents, gone)
            except IndexBrokenError:
                self.broken.set()
                raise
        async with self._committed:
            self._committed.notify_all()
        return documents

    async def query(self, query: SearchQuery) -> SearchAnswer:
        """Answer a query, in a thread so that the loop can go on.

        Raises:
            QueryError: it asks for something that does not exist.
            IndexBrokenError: the index can't be read; ``broken`` is set.
            IndexNotReadyError: there is no index yet.
        """
        current = self._usable()
        try:
            return await asyncio.to_thread(current.query, query)
        except IndexBrokenError:
            self.broken.set()
            raise

    async def numbers(self, query: SearchQuery) -> AsyncIterator[NumbersPart]:
        """All that a query finds, in parts of one moment, which an exchange of the index does not disturb.

        Raises:
            QueryError, IndexBrokenError, IndexNotReadyError: as ``query``.
        """
        parts = self._usable().numbers(query)
        try:
            while (part := await asyncio.to_thread(next, parts, None)) is not None:
                yield part
        except IndexBrokenError:
            self.broken.set()
            raise

    def seq_of(self, case_id: str) -> int:
        """The event up to which the index knows that case, 0 if not at all.

        Raises:
            IndexBrokenError: the index can't be read; ``broken`` is set.
            IndexNotReadyError: there is no index yet.
        """
        try:
            return self._usable().seq_of(case_id)
        except IndexBrokenError:
            self.broken.set()
            raise

    async def wait_for(self, case_id: str, seq: int, seconds: float) -> bool:
        """Wait until the index knows an event of a case.

        Returns:
            Whether it does; False after that many seconds.
        """
        try:
            async with asyncio.timeout(seconds), self._committed:
                await self._committed.wait_for(lambda: self.seq_of(case_id) >= seq)
        except TimeoutError:
            return False
        return True

    async def begin(self) -> CaseIndex:
        """Open a new copy, which from now on gets every change.

        Raises:
            IndexBrokenError: it can't be made.
        """
        async with self._writing:
            self._newer.clear()
            self._next = await _unbroken(self._copies.create)
            return self._next

    async def fill(self, ids: Collection[UUID]) -> None:
        """Bring these cases into the new copy, each of which it gets so once.

        Raises:
            IndexBrokenError: the new copy can't be written.
        """
        documents = await self._read(ids)
        async with self._writing:
            newer = set(map(str, self._newer.intersection(ids)))
            await self._write_next(_add, [case for case in documents if case.id not in newer])
            if self._next is None:
                raise IndexBrokenError("the new index can't be written; the log says why")

    async def exchange(self) -> None:
        """Let the new copy answer from now on, and remove the old one.

        Raises:
            IndexBrokenError: the new copy can't be written; the old one goes on.
        """
        async with self._writing:
            if self._next is None:
                raise IndexBrokenError("the new index can't be written; the log says why")
            await _unbroken(self._next.commit)
            await _unbroken(self._copies.promote, self._next)
            old, self._current, self._next = self._current, self._next, None
            self.broken.clear()
            self.ready.set()
        async with self._committed:
            self._committed.notify_all()
        await self._discard(old)

    async def give_up(self) -> None:
        """Forget the new copy, if there is one."""
        async with self._writing:
            abandoned, self._next = self._next, None
        await self._discard(abandoned)

    async def close(self) -> None:
        """Release everything once what is being written has been written."""
        async with self._writing:
            for index in (self._current, self._next):
                if index:
                    await asyncio.to_thread(_close, index)
            self._current = self._next = None
        self._copies.close()

    def _usable(self) -> CaseIndex:
        if self._current is None:
            raise IndexNotReadyError("the index is being built")
        return self._current

    async def _write_next(
        self, write: Callable[Concatenate[CaseIndex, P], None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Write to the new copy; one that can't be written is dropped and does not hold up the old one."""
        if self._next is None:
            return
        try:
            await _unbroken(write, self._next, *args, **kwargs)
        except IndexBrokenError:
            _log.exception("the new index can't be written")
            self._next = None

    async def _discard(self, index: CaseIndex | None) -> None:
        if index:
            await asyncio.to_thread(_close, index)
        await asyncio.to_thread(self._copies.sweep)


async def _unbroken(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run in a thread. When cancelled, wait for its end: a write left behind could overtake a later one."""
    task = asyncio.create_task(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


def _add(index: CaseIndex, documents: Sequence[CaseDocument]) -> None:
    index.add(documents)


def _write(index: CaseIndex, documents: Sequence[CaseDocument], gone: Collection[str]) -> None:
    index.replace(documents)
    index.remove(gone)


def _write_durably(index: CaseIndex, documents: Sequence[CaseDocument], gone: Collection[str]) -> None:
    _write(index, documents, gone)
    index.commit()


def _close(index: CaseIndex) -> None:
    try:
        index.close()
    except IndexBrokenError as error:
        _log.warning("index was not closed cleanly", error=str(error))
