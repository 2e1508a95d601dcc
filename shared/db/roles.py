"""Whose rights a process has in Postgres (docs/decisions/0005)."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, text

LOOKED_THROUGH: Final = "casebound.viewer"
"""The setting that holds, for one transaction, whose eyes the policies go by; see ``shared.db.viewed.Eyes``."""


class Role(StrEnum):
    """A role of the cluster that a connection takes at its start; the log-in itself sees no case."""

    API = "casebound_api"
    """Sees what the eyes of the transaction see; without eyes nothing."""
    SERVICE = "casebound_service"
    """Sees and writes everything: worker, search, notifier, commands of the operator."""

    @property
    def settings(self) -> dict[str, str]:
        """Server settings of a connection that has this role from its start; RESET ROLE leads back to it."""
        return {"role": self.value}


_TROUBLE = """
SELECT name AS role, rolname IS NULL AS missing, coalesce(rolsuper OR rolbypassrls, false) AS unbound,
       rolname IS NULL OR NOT pg_has_role(current_user, oid, 'SET') AS forbidden
FROM unnest(CAST(:roles AS text[])) AS name LEFT JOIN pg_roles ON rolname = name
"""
_MAKE = """
DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of the cluster was migrated meanwhile
    WHEN insufficient_privilege THEN NULL;
END $$
"""
_JOIN = """
DO $$ BEGIN
    GRANT {role} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE;
EXCEPTION
    WHEN unique_violation OR internal_error THEN NULL;  -- as above: "tuple concurrently updated"
    WHEN insufficient_privilege THEN NULL;
END $$
"""


def ensure_roles(connection: Connection) -> None:
    """Make both roles, where they are not yet, and let the log-in take them. Roles belong to the whole cluster.

    Raises:
        PermissionError: the log-in may not do that; says what an operator has to run.
    """
    for row in _troubles(connection):
        if row.missing:
            connection.execute(text(_MAKE.format(role=row.role)))
    for row in _troubles(connection):
        if row.forbidden and not row.missing:
            connection.execute(text(_JOIN.format(role=row.role)))
    left = _troubles(connection)
    if any(row.missing or row.forbidden for row in left):
        log_in = connection.scalar(text("SELECT quote_ident(current_user)"))
        raise PermissionError(_how_to_make(str(log_in), [row.role for row in left if row.missing]))
    if unbound := [row.role for row in left if row.unbound]:
        raise PermissionError(
            f"row level security would not bind {' and '.join(unbound)}. As a superuser of Postgres run: "
            + " ".join(f"ALTER ROLE {role} NOSUPERUSER NOBYPASSRLS;" for role in unbound)
        )


def _troubles(connection: Connection) -> list[Any]:
    return list(connection.execute(text(_TROUBLE), {"roles": [role.value for role in Role]}))


def _how_to_make(log_in: str, missing: list[str]) -> str:
    statements = [*(f"CREATE ROLE {role} NOLOGIN;" for role in missing)]
    statements.append(f"GRANT {', '.join(Role)} TO {log_in} WITH INHERIT FALSE, SET TRUE;")
    return (
        f"the schema needs two roles that {log_in} may not make or take. As a superuser of Postgres run once: "
        f"{' '.join(statements)} Then migrate again."
    )
