"""Real connections to each server: how readiness is known, and what ``doctor`` asks."""

from __future__ import annotations

import asyncio
import http
import http.client
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.local.errors import NotReadyError, UnreachableError
from shared.contracts.subjects import SEARCH_QUERY
from shared.db.roles import Role

if TYPE_CHECKING:
    from nats.aio.client import Client as NatsClient

_TIMEOUT = 6.0  # longer than a service's own check of what it needs


async def postgres_version(url: str) -> str:
    """Connect and ask for the version.

    Raises:
        UnreachableError: no connection, log-in refused, or the server is still starting.
    """
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=_TIMEOUT)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise UnreachableError(_reason(error)) from error
    try:
        return str(await connection.fetchval("show server_version")).split()[0]
    finally:
        await connection.close()


async def row_level_security(url: str) -> str:
    """Look whether row level security binds the API: by the rights of the log-in and of the roles that it takes.

    Returns:
        The log-in, if it does.

    Raises:
        UnreachableError: no connection; or it does not, and why.
    """
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=_TIMEOUT)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise UnreachableError(_reason(error)) from error
    try:
        unbound = await connection.fetch(_UNBOUND_ROLES, [role.value for role in Role])
        open_tables = await connection.fetchval(_OPEN_TABLES)
        log_in = str(await connection.fetchval("SELECT session_user"))
    finally:
        await connection.close()
    if unbound:
        names = " and ".join(row["rolname"] for row in unbound)
        raise UnreachableError(f"{names} is a superuser or has BYPASSRLS, so that no policy binds it")
    if open_tables:
        raise UnreachableError("the table of cases has no forced row level security; run `casebound migrate`")
    return log_in


_UNBOUND_ROLES = """
SELECT rolname FROM pg_roles
WHERE (rolname = session_user OR rolname = ANY ($1::text[])) AND (rolsuper OR rolbypassrls) ORDER BY rolname
"""
_OPEN_TABLES = """
SELECT count(*) = 0 FROM pg_class WHERE oid = to_regclass('"case"') AND relrowsecurity AND relforcerowsecurity
"""


async def nats_version(url: str) -> str:
    """Connect and ask JetStream for its account.

    Raises:
        UnreachableError: no connection, or JetStream is off.
    """
    import nats.errors

    async with _nats(url) as client:
        try:
            await client.jetstream().account_info()
        except (nats.errors.Error, TimeoutError) as error:
            raise UnreachableError(f"JetStream is not available: {_reason(error)}") from error
        version = client.connected_server_version
        return f"{version.major}.{version.minor}.{version.patch}"


@asynccontextmanager
async def _nats(url: str) -> AsyncIterator[NatsClient]:
    import nats
    import nats.errors

    async def keep_quiet(_: Exception) -> None: ...

    try:
        client = await nats.connect(url, allow_reconnect=False, connect_timeout=int(_TIMEOUT), error_cb=keep_quiet)
    except (OSError, TimeoutError, nats.errors.Error) as error:
        raise UnreachableError(_reason(error)) from error
    try:
        yield client
    finally:
        await client.close()


async def temporal_version(address: str, namespace: str) -> str:
    """Connect and look for the namespace.

    Raises:
        UnreachableError: no connection, or no such namespace.
    """
    await asyncio.to_thread(importlib.import_module, "temporalio.client")  # half a second
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, GetSystemInfoRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    try:
        client = await Client.connect(address, namespace=namespace)
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
        info = await client.workflow_service.get_system_info(GetSystemInfoRequest())
    except (RuntimeError, RPCError) as error:
        raise UnreachableError(_reason(error)) from error
    return info.server_version


async def search_answers(nats_url: str) -> str:
    """Ask the search service for anything at all.

    Raises:
        UnreachableError: nobody answers searches.
    """
    import nats.errors

    async with _nats(nats_url) as client:
        try:
            await client.request(SEARCH_QUERY, b"{}", timeout=_TIMEOUT)
        except nats.errors.NoRespondersError:
            raise UnreachableError("no search service answers; lists fall back to the database") from None
        except (nats.errors.Error, TimeoutError) as error:
            raise UnreachableError(_reason(error)) from error
    return "answers"


async def smtp_greeting(url: str) -> str:
    """Connect to a mail server and greet it.

    Raises:
        UnreachableError: no connection, or it is no mail server.
    """
    import aiosmtplib

    parts = urlsplit(url)
    client = aiosmtplib.SMTP(hostname=parts.hostname, port=parts.port or 25, timeout=_TIMEOUT)
    try:
        async with client:
            return (await client.ehlo()).message.splitlines()[0]
    except (OSError, aiosmtplib.SMTPException) as error:
        raise UnreachableError(_reason(error)) from error


async def http_ready(url: str) -> None:
    """Ask ``/readyz``.

    Args:
        url: of the service, as ``http://host:port``.

    Raises:
        NotReadyError: it answers that it is not ready yet, and why.
        UnreachableError: no answer, or any other; the message holds what it said.
    """
    status, text = await asyncio.to_thread(_get, url, "/readyz")
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        raise NotReadyError(text[:300].strip())
    if status != http.HTTPStatus.OK:
        raise UnreachableError(f"/readyz answered {status}: {text[:300]}")


def _get(url: str, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(_reason(error)) from error
    finally:
        connection.close()


def _reason(error: BaseException) -> str:
    return f"{error}" or type(error).__name__
