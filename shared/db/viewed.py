"""The database as one person sees it: the second wall behind the API's own check (docs/decisions/0005).

Every transaction says through whose eyes it looks, and row level security lets nothing else through. It says so for
itself alone, in the statement that begins it, so that nothing is left behind on a connection for whoever has it next.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, NewType

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from shared.contracts.search import Viewer
from shared.db.engine import Database
from shared.db.roles import LOOKED_THROUGH, Role

SeeingConnection = NewType("SeeingConnection", AsyncConnection)
SeeingSession = NewType("SeeingSession", AsyncSession)
Sight = SeeingConnection | SeeingSession
"""What cases can be read on: it looks through somebody's eyes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Eyes:
    """Through whose eyes a transaction looks.

    Args:
        desk: id of the only desk that is seen.
        viewer: which of its cases.
        actor: whose kept answers are seen (``Caller.id``).
        who: whose uploads are seen before they belong to a case: an address, or a service account's name.
    """

    desk: int
    viewer: Viewer
    actor: str
    who: str


_CLOSED: Final = f"BEGIN; SET LOCAL ROLE {Role.API}; SET LOCAL {LOOKED_THROUGH} = ''"


def beginning(eyes: Eyes | None) -> str:
    """What begins a transaction, in one message to the server.

    The role is set although the connection has it from its start: not even a ``SET ROLE`` that somebody left behind
    counts.
    """
    if eyes is None:
        return _CLOSED
    viewer = eyes.viewer
    facts: dict[str, Any] = {"desk": eyes.desk, "staff": viewer.staff, "email": viewer.email}
    facts |= {"accounts": viewer.accounts, "actor": eyes.actor, "who": eyes.who}
    # An E'' literal means the same whatever standard_conforming_strings is.
    literal = orjson.dumps(facts).decode().replace("\\", "\\\\").replace("'", "''")
    return f"BEGIN; SET LOCAL ROLE {Role.API}; SET LOCAL {LOOKED_THROUGH} = E'{literal}'"


class ViewedDatabase(Database):
    """As ``Database``, with the API's rights: no case is seen but through eyes, and none is written.

    Args:
        url: as of ``Database``.
        pool_size: as of ``Database``.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        super().__init__(url, role=Role.API, pool_size=pool_size)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        async with self._looking(None) as connection, _session(connection) as session:
            yield session

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        async with self._looking(None) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        async with self._changing(None) as connection, _session(connection) as session, session.begin():
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self._changing(None) as connection:
            yield connection

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        async with self._changing(None) as connection:
            yield connection

    @asynccontextmanager
    async def read_as(self, eyes: Eyes) -> AsyncIterator[SeeingSession]:
        """As ``read``, through somebody's eyes."""
        async with self._looking(eyes) as connection, _session(connection) as session:
            yield SeeingSession(session)

    @asynccontextmanager
    async def reading_as(self, eyes: Eyes) -> AsyncIterator[SeeingConnection]:
        """As ``reading``, through somebody's eyes."""
        async with self._looking(eyes) as connection:
            yield SeeingConnection(connection)

    @asynccontextmanager
    async def write_as(self, eyes: Eyes) -> AsyncIterator[SeeingSession]:
        """As ``write``, through somebody's eyes: for what is theirs, as kept answers and uploads."""
        async with self._changing(eyes) as connection, _session(connection) as session, session.begin():
            yield SeeingSession(session)

    @asynccontextmanager
    async def transaction_as(self, eyes: Eyes) -> AsyncIterator[SeeingConnection]:
        """As ``transaction``, through somebody's eyes."""
        async with self._changing(eyes) as connection:
            yield SeeingConnection(connection)

    @asynccontextmanager
    async def _looking(self, eyes: Eyes | None) -> AsyncIterator[AsyncConnection]:
        async with self._turn_to_read(), _transaction(self.readers, eyes, "ROLLBACK") as connection:
            yield connection

    @asynccontextmanager
    async def _changing(self, eyes: Eyes | None) -> AsyncIterator[AsyncConnection]:
        async with self._turn_to_write(), _transaction(self._at_once, eyes, "COMMIT") as connection:
            yield connection


def _session(connection: AsyncConnection) -> AsyncSession:
    return AsyncSession(connection, expire_on_commit=False, autoflush=False)


@asynccontextmanager
async def _transaction(engine: AsyncEngine, eyes: Eyes | None, end: str) -> AsyncIterator[AsyncConnection]:
    """A transaction that is over, or whose connection is, before anybody else gets the connection."""
    async with engine.connect() as connection:
        driver = _driver(connection)
        try:
            await _tell(driver, beginning(eyes))
            yield connection
            await _tell(driver, end)
        except Exception:
            await _roll_back(connection, driver)
            raise
        except BaseException:  # cancelled: what the server is doing for it is not worth waiting for
            await _give_up(connection, driver)
            raise


def _driver(connection: AsyncConnection) -> asyncpg.Connection[Any]:
    """Below SQLAlchemy, which would send each of the statements that begin a transaction by itself."""
    synchronous = connection.sync_connection
    driver = synchronous.connection.driver_connection if synchronous else None
    if not isinstance(driver, asyncpg.Connection):
        raise TypeError(f"not a connection of asyncpg's: {driver!r}")
    return driver


async def _tell(driver: asyncpg.Connection[Any], script: str) -> None:
    try:
        await driver.execute(script)
    except asyncpg.InternalClientError as error:  # it has been told so while nobody listened, and says it like this
        raise ConnectionResetError("Postgres has ended the connection") from error


async def _roll_back(connection: AsyncConnection, driver: asyncpg.Connection[Any]) -> None:
    try:
        await driver.execute("ROLLBACK")
    except BaseException as error:
        await _give_up(connection, driver)
        if not isinstance(error, Exception):
            raise


async def _give_up(connection: AsyncConnection, driver: asyncpg.Connection[Any]) -> None:
    driver.terminate()
    with contextlib.suppress(Exception):
        await connection.invalidate()
