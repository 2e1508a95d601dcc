"""row level security"""

from collections.abc import Iterator

from alembic import op

from shared.db.roles import ensure_roles

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

API, SERVICE = "casebound_api", "casebound_service"

TABLES = (
    "account",
    "account_member",
    "attachment",
    "case",
    "case_event",
    "delivery",
    "desk",
    "desk_counter",
    "desk_policy",
    "idempotency_key",
    "login_session",
    "mailbox_message",
    "person",
    "saved_filter",
    "service_account",
    "staff",
    "webhook",
)
SHOWN_OF_WEBHOOK = "id, desk_id, url, events, disabled_at, busy_until, last_success_at, last_failure_at, last_error"
GRANTS = {
    "account": "SELECT",
    "account_member": "SELECT",
    "attachment": "SELECT, INSERT, UPDATE, DELETE",
    "case": "SELECT",
    "case_event": "SELECT",
    "delivery": "SELECT, UPDATE (status, attempts, next_attempt_at, sent_at, error)",
    "desk": "SELECT",
    "desk_counter": "SELECT, INSERT, UPDATE",
    "desk_policy": "SELECT",
    "idempotency_key": "SELECT, INSERT, UPDATE",
    "login_session": "SELECT, INSERT, DELETE",
    "mailbox_message": "SELECT",
    "person": "SELECT",
    "saved_filter": "SELECT, INSERT, UPDATE, DELETE",
    "service_account": "SELECT",
    "staff": "SELECT",
    "webhook": f"SELECT ({SHOWN_OF_WEBHOOK})",
}
"""What the API's role may do at all; the policies below narrow it to what somebody sees."""

# Each fact of the viewer is asked for once in a statement, not once for each row: hence the SELECT around it.
DESK = "(SELECT (casebound_viewer() ->> 'desk')::integer)"
STAFF = "(SELECT (casebound_viewer() ->> 'staff')::boolean)"
EMAIL = "(SELECT casebound_viewer() ->> 'email')"
ACCOUNTS = "(SELECT casebound_viewer() -> 'accounts')"
ACTOR = "(SELECT casebound_viewer() ->> 'actor')"
WHO = "(SELECT casebound_viewer() ->> 'who')"

VIEWER = """
CREATE FUNCTION casebound_viewer() RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('casebound.viewer', true), '')::jsonb
"""
CASE_SEEN = f"""
desk_id = {DESK} AND (
    {STAFF}
    OR reporter = {EMAIL}
    OR contact = {EMAIL}
    OR {EMAIL} = ANY (cc)
    OR {ACCOUNTS} ? account
)
"""
OF_SEEN_CASE = 'EXISTS (SELECT FROM "case" AS seen WHERE seen.id = case_id)'
EVENT_SEEN = f"({STAFF} OR kind NOT IN ('noted', 'note_attachment_removed', 'command_rejected')) AND {OF_SEEN_CASE}"
OWN_UPLOAD = f"desk_id = {DESK} AND case_id IS NULL AND uploaded_by = {WHO}"
FILE_OF_SEEN_CASE = f"desk_id = {DESK} AND case_id IS NOT NULL AND ({STAFF} OR NOT internal) AND {OF_SEEN_CASE}"
OWN_KEY = f"desk_id = {DESK} AND actor = {ACTOR}"
OF_DESK_FOR_STAFF = f"desk_id = {DESK} AND {STAFF}"
TO_WEBHOOK = f"webhook_id IN (SELECT id FROM webhook WHERE {OF_DESK_FOR_STAFF})"  # noqa: S608

POLICIES = {
    ("case", "seen", "SELECT"): CASE_SEEN,
    ("case_event", "seen", "SELECT"): EVENT_SEEN,
    ("attachment", "own", "ALL"): OWN_UPLOAD,
    ("attachment", "seen", "SELECT"): FILE_OF_SEEN_CASE,
    ("attachment", "emptied", "UPDATE"): f"{FILE_OF_SEEN_CASE} AND removed_at IS NOT NULL",
    ("idempotency_key", "own", "ALL"): OWN_KEY,
    ("saved_filter", "own", "ALL"): f"desk_id = {DESK} AND owner = {EMAIL}",
    ("webhook", "of_desk", "SELECT"): OF_DESK_FOR_STAFF,
    ("delivery", "to_webhook", "SELECT"): TO_WEBHOOK,
    ("delivery", "sent_again", "UPDATE"): TO_WEBHOOK,
}
"""What the API's role sees and may change, by table, name and command."""


def upgrade() -> None:
    ensure_roles(op.get_bind())
    op.execute(VIEWER)
    for statement in (*_grants(), *_walls()):
        op.execute(statement)


def _grants() -> Iterator[str]:
    everything = ", ".join(f'"{table}"' for table in TABLES)
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON {everything} TO {SERVICE}"
    yield f"GRANT SELECT ON alembic_version TO {SERVICE}"  # for pg_dump, as the sequences
    yield f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {SERVICE}"
    # Tables of later migrations: the services may use them at once, the API as they say.
    yield f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {SERVICE}"
    yield f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON SEQUENCES TO {SERVICE}"
    for table, rights in GRANTS.items():
        yield f'GRANT {rights} ON "{table}" TO {API}'


def _walls() -> Iterator[str]:
    for table in dict.fromkeys(table for table, _, _ in POLICIES):
        yield f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY'
        yield f'CREATE POLICY service ON "{table}" TO {SERVICE} USING (true)'
    for (table, name, command), condition in POLICIES.items():
        what = "WITH CHECK" if command == "INSERT" else "USING"
        yield f'CREATE POLICY {name} ON "{table}" FOR {command} TO {API} {what} ({condition})'


def downgrade() -> None:
    for table, name, _ in POLICIES:
        op.execute(f'DROP POLICY {name} ON "{table}"')
    for table in dict.fromkeys(table for table, _, _ in POLICIES):
        op.execute(f'DROP POLICY service ON "{table}"')
        op.execute(f'ALTER TABLE "{table}" DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY')
    op.execute("DROP FUNCTION casebound_viewer()")
    op.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM {SERVICE}")
    op.execute(f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM {SERVICE}")
    for table in TABLES:
        op.execute(f'REVOKE ALL ON "{table}" FROM {API}, {SERVICE}')
    op.execute(f"REVOKE ALL ON alembic_version FROM {SERVICE}")
    op.execute(f"REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {SERVICE}")
