"""canned replies"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

API, SERVICE = "casebound_api", "casebound_service"
DESK = "(SELECT (casebound_viewer() ->> 'desk')::integer)"
STAFF = "(SELECT (casebound_viewer() ->> 'staff')::boolean)"
EMAIL = "(SELECT casebound_viewer() ->> 'email')"
OF_DESK_OR_OWN = f"desk_id = {DESK} AND {STAFF} AND (owner IS NULL OR owner = {EMAIL})"


def upgrade() -> None:
    op.create_table(
        "canned_reply",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("desk_id", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["desk_id"], ["desk.id"], name=op.f("fk_canned_reply_desk_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_reply")),
        sa.UniqueConstraint(
            "desk_id",
            "owner",
            "name",
            name=op.f("uq_canned_reply_desk_id_owner_name"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "canned_reply" TO {API}')
    op.execute('ALTER TABLE "canned_reply" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY')
    op.execute(f'CREATE POLICY service ON "canned_reply" TO {SERVICE} USING (true)')
    op.execute(f'CREATE POLICY of_desk_or_own ON "canned_reply" FOR ALL TO {API} USING ({OF_DESK_OR_OWN})')


def downgrade() -> None:
    op.drop_table("canned_reply")
