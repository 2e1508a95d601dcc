"""Every setting of every service, in one place.

Settings come from the environment with the prefix ``CASEBOUND_``. A running embedded stack writes its own to
``DATA_DIR/stack.env``, so that every command finds it by its data directory; the environment wins over that file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

STACK_ENV = "stack.env"
STACK_JSON = "stack.json"


class Settings(BaseSettings):
    """Where things are and how services behave. See ``docs/settings.md`` for each, with its meaning."""

    model_config = SettingsConfigDict(env_prefix="CASEBOUND_", extra="ignore")

    data_dir: Path = Path(".casebound")
    """What this process keeps on disk; holds ``stack.env`` and ``stack.json`` of an embedded stack."""
    development: bool = False
    """Local mailbox, ``fast-forward`` and demo log-ins. Never set where real customers are."""

    database_url: str = "postgresql://127.0.0.1:5432/casebound"
    """Postgres 18, as the role that owns the schema and is no superuser: ``postgresql://user:password@host:port/database``."""
    temporal_address: str = "127.0.0.1:7233"
    """``host:port`` of Temporal's frontend."""
    temporal_namespace: str = "default"
    """The namespace that holds the cases' workflows."""
    nats_url: str = "nats://127.0.0.1:4222"
    """NATS with JetStream: ``nats://user:password@host:port``; several, separated by commas, for a cluster."""
    nats_replicas: int = Field(default=1, ge=1, le=5)
    """Copies that a NATS cluster keeps of each stream; 3 in production."""
    smtp_url: SecretStr | None = None
    """Where mail is sent: ``smtp://user:password@host:port``.
    Without it mail lands in the local mailbox (development only)."""
    object_store_url: str | None = None
    """Where the contents of files are kept, the same for API and worker: ``file:///folder`` or ``s3://bucket/prefix``.
    Default: ``DATA_DIR/files``."""
    unattached_files_max: int = Field(default=100, ge=1)
    """Uploaded files without a case that are kept for one person on one desk; further uploads are refused (409)."""
    unattached_bytes_max: int = Field(default=1024**3, ge=1)
    """What those files may have together, in bytes."""
    oidc_issuer: str | None = None
    """The OpenID provider that people log in with, exactly as it writes its issuer (``docs/log-in.md``);
    without it there is no log-in but the demo's."""
    oidc_client_id: str | None = None
    """Casebound's name at the OpenID provider."""
    oidc_client_secret: SecretStr | None = None
    """Casebound's secret at the OpenID provider."""
    oidc_name: str = "single sign-on"
    """What the log-in page calls the OpenID provider: «Log in with …»."""

    payload_keys: SecretStr = SecretStr("")
    """Key ring for Temporal payloads: ``id:base64,id:base64``, 32-byte keys; the first encrypts, all decrypt."""
    secret_key: SecretStr = SecretStr("")
    """Signs bearer tokens; at least 32 characters."""

    api_host: str = "127.0.0.1"
    """The address that the API listens on; ``0.0.0.0`` in a container."""
    api_port: int = 8000
    """The port that the API listens on."""
    trusted_proxies: str = ""
    """Addresses or networks of the proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed:
    ``10.0.0.2,10.1.0.0/16``. None: whoever connects is the client."""
    public_url: str = "http://127.0.0.1:8000"
    """How browsers and mail readers reach the API: the base of every link that is sent out."""
    mail_from: str = "Casebound <support@casebound.example>"
    """The sender of every mail."""
    webhook_allowed_networks: str = ""
    """Networks on which webhooks may reach private addresses, and those without https:
    ``10.1.0.0/16,127.0.0.0/8``. None: public addresses alone."""
    webhook_retry_seconds: list[float] = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    """Pauses between attempts at a webhook that fail, as a JSON list; the attempt after the last pause is the last.
    Default: what Standard Webhooks proposes, three days in all."""
    search_index_dir: Path | None = None
    """The node's own copy of the index; default ``DATA_DIR/search``. May be deleted at any time."""
    metrics_port: int | None = None
    """Port of ``/metrics``, ``/healthz`` and ``/readyz`` of worker, search and notifier; none: not served.
    The API has them on its own."""
    metrics_host: str = "127.0.0.1"
    """The address that those listen on; ``0.0.0.0`` in a container, for Prometheus and the probes."""
    span_store: Path | None = None
    """SQLite file that keeps recent spans for ``casebound trace``; OTLP exporters follow ``OTEL_*``."""
    traced_reads: float = Field(default=0.1, ge=0, le=1)
    """The share of requests that only read whose spans are kept, where their caller sends no ``traceparent``. Commands
    all have theirs. ``OTEL_TRACES_SAMPLER`` decides about all of them if it is set."""
    log_format: Literal["json", "console"] = "json"
    """``json``: one object a line; ``console``: for people."""
    command_timeout: float = Field(default=15.0, gt=0)
    """Seconds that a command waits for its case's workflow before the caller is told to retry (503). What a worker had
    in hand that died is carried out by another one after ten."""
    window_ends_per_second: float = Field(default=10.0, gt=0)
    """How many cases a second are closed or sealed by silence if more than a hundred windows end in the same minute, so
    that commands are not held up; the others of that minute follow."""

    @property
    def files_url(self) -> str:
        return self.object_store_url or (self.data_dir.absolute() / "files").as_uri()

    @property
    def index_dir(self) -> Path:
        return self.search_index_dir or self.data_dir / "search"


def load_settings(data_dir: Path | None = None) -> Settings:
    """Read the settings of a stack.

    Args:
        data_dir: the stack's data directory; default ``CASEBOUND_DATA_DIR``, else ``.casebound``.

    Returns:
        The environment over ``data_dir/stack.env`` over the defaults.
    """
    directory = data_dir or Path(os.environ.get("CASEBOUND_DATA_DIR", ".casebound"))
    settings = Settings(_env_file=directory / STACK_ENV)  # pyright: ignore[reportCallIssue]
    return settings.model_copy(update={"data_dir": directory})
