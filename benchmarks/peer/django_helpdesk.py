"""The peer's side: django-helpdesk in an environment of its own, its database in our stack's Postgres."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from benchmarks.peer.samples import (
    COMMENT,
    CUSTOMER,
    DESCRIPTION,
    LISTED,
    PAGE,
    SEVERITIES,
    WORKED_ON,
    station,
    subject,
)
from benchmarks.peer.side import CALLERS, lines, right, serving
from shared.settings import Settings
from tests.client import Json, LeanConnection
from tests.stack import free_port

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "requirements" / "peer.txt"
WORKERS = 2
THREADS = CALLERS // WORKERS
_OPEN = 1


@dataclass(frozen=True)
class Filled:
    """A migrated database with tickets, and what logs in."""

    python: Path
    variables: dict[str, str]
    directory: Path
    """Where the server writes its log."""
    queue: int
    token: str
    session: str


async def filled(settings: Settings, environment: Path, directory: Path, cases: int) -> Filled:
    """Make a database beside the product's, and as many tickets in it.

    Args:
        settings: of the stack whose Postgres it shares.
        environment: where django-helpdesk is installed, or will be.
        directory: for its log.
        cases: how many there are to begin with.
    """
    python = await asyncio.to_thread(_installed, environment)
    variables = os.environ | {
        "DJANGO_SETTINGS_MODULE": "benchmarks.peer.server.settings",
        "PYTHONPATH": str(ROOT),
        "PEER_DATABASE_URL": await _database(settings.database_url),
        "PEER_SECRET_KEY": secrets.token_urlsafe(48),
    }

    def run(*arguments: str) -> str:
        command = [str(python), "-m", *arguments]
        return subprocess.run(command, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout

    await asyncio.to_thread(run, "django", "migrate", "--verbosity", "0")
    log_in = json.loads(await asyncio.to_thread(run, "benchmarks.peer.server.fill", str(cases)))
    return Filled(python, variables, directory, **log_in)


def _installed(environment: Path) -> Path:
    """The interpreter of the environment, which is made anew when the pins have changed."""
    python, note = environment / "bin" / "python", environment / REQUIREMENTS.name
    if not note.exists() or note.read_bytes() != REQUIREMENTS.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        pip = [str(python), "-m", "pip", "-qq", "--disable-pip-version-check", "--no-input"]
        subprocess.run([*pip, "install", "--require-hashes", "-r", str(REQUIREMENTS)], check=True)
        shutil.copyfile(REQUIREMENTS, note)
    return python


async def _database(ours: str) -> str:
    server = ours.rpartition("/")[0]
    superuser = await asyncpg.connect(server.replace("//casebound:", "//postgres:") + "/postgres")
    await superuser.execute("CREATE DATABASE helpdesk OWNER casebound")
    await superuser.close()
    return f"{server}/helpdesk"


@contextmanager
def _serving(peer: Filled) -> Iterator[str]:
    """Its server, as long as the block runs; yields its address."""
    port = free_port()
    options = ["--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS), "--threads", str(THREADS)]
    command = [str(peer.python), "-m", "gunicorn", *options, "--keep-alive", "600", "--log-level", "warning"]
    command.append("django.core.wsgi:get_wsgi_application()")
    with serving(command, port, peer.variables, peer.directory / "peer.log") as url:
        yield url


@dataclass(frozen=True)
class Helpdesk:
    """What is asked of django-helpdesk.

    Args:
        programs: a connection for each caller, to its API.
        browsers: the same, logged in by session.
        queue: in which tickets are opened.
        read: numbers of the tickets that are looked at.
        worked_on: numbers of those that are commented on; `open_some` gives them.
    """

    programs: Sequence[LeanConnection]
    browsers: Sequence[LeanConnection]
    queue: int
    read: Sequence[int]
    worked_on: list[int] = field(default_factory=list)

    async def open_some(self, count: int) -> None:
        """Open the tickets to be commented on."""
        for _ in range(count):
            answer = await self._open(0, WORKED_ON["subject"], WORKED_ON["description"], WORKED_ON["severity"])
            self.worked_on.append(json.loads(answer)["id"])

    async def create(self, number: int, caller: int) -> bytes:
        return await self._open(caller, subject(number), DESCRIPTION, SEVERITIES[number % len(SEVERITIES)])

    async def comment(self, number: int, caller: int) -> bytes:
        ticket = self.worked_on[number % len(self.worked_on)]
        body = {"ticket": ticket, "title": "Comment", "comment": COMMENT, "public": True}
        return right(*await self.programs[caller].ask("POST", "/api/followups/", body))

    async def listed(self, _: int, caller: int) -> bytes:
        return await self._table(caller, {"status__in": [_OPEN], "priority__in": [_priority(LISTED)]}, "")

    async def search(self, number: int, caller: int) -> bytes:
        return await self._table(caller, {}, station(number))

    async def page(self, number: int, caller: int) -> bytes:
        return right(*await self.browsers[caller].ask("GET", f"/tickets/{self.read[number % len(self.read)]}/"))

    async def listed_by_api(self, _: int, caller: int) -> bytes:
        return right(*await self.programs[caller].ask("GET", f"/api/tickets/?status={_OPEN}&page_size={PAGE}"))

    async def case(self, number: int, caller: int) -> bytes:
        return right(*await self.programs[caller].ask("GET", f"/api/tickets/{self.read[number % len(self.read)]}/"))

    async def rest(self) -> None:
        """Nothing follows: it sends mail before it answers."""

    async def counts(self) -> tuple[int, int]:
        """How many tickets `listed` and `search` count."""
        listed, found = json.loads(await self.listed(0, 0)), json.loads(await self.search(0, 0))
        return listed["recordsTotal"], found["recordsTotal"]

    async def _open(self, caller: int, title: str, description: str, severity: str) -> bytes:
        body = {"queue": self.queue, "title": title, "description": description, "submitter_email": CUSTOMER}
        return right(
            *await self.programs[caller].ask("POST", "/api/tickets/", body | {"priority": _priority(severity)})
        )

    async def _table(self, caller: int, filtering: Json, words: str) -> bytes:
        """What the table on its list page asks for."""
        query = {"filtering": filtering, "filtering_null": {}, "search_string": words}
        asked = json.dumps(query | {"sorting": "created", "sortreverse": True}).encode()
        path = f"/datatables_ticket_list/{base64.b64encode(asked).decode()}?draw=1&start=0&length={PAGE}"
        return right(*await self.browsers[caller].ask("GET", path))


@asynccontextmanager
async def helpdesk(peer: Filled, cases: int) -> AsyncIterator[Helpdesk]:
    """Its server, as long as the block runs, and connections to it.

    Args:
        peer: the filled database.
        cases: how many tickets there are to look at.
    """
    with _serving(peer) as url:
        async with (
            lines((url,), peer.token, "Authorization: Token ") as programs,
            lines((url,), peer.session, "Cookie: sessionid=") as browsers,
        ):
            yield Helpdesk(programs, browsers, peer.queue, range(1, cases + 1))


def _priority(severity: str) -> int:
    return 1 + SEVERITIES.index(severity)
