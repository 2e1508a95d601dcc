"""what people have read"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

API = "casebound_api"
MINE = "person = (SELECT casebound_viewer() ->> 'email')"
OF_SEEN_CASE = 'EXISTS (SELECT FROM "case" AS seen WHERE seen.id = case_id)'


def upgrade() -> None:
    op.create_table(
        "case_read",
        sa.Column("case_id", sa.UUID(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_case_read_case_id")),
        sa.PrimaryKeyConstraint("case_id", "person", name=op.f("pk_case_read")),
    )
    op.execute(f"GRANT SELECT, INSERT, UPDATE (seq, read_at) ON case_read TO {API}")
    op.execute("ALTER TABLE case_read ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    op.execute("CREATE POLICY service ON case_read TO casebound_service USING (true)")
    op.execute(f"CREATE POLICY own ON case_read FOR ALL TO {API} USING ({MINE} AND {OF_SEEN_CASE})")


def downgrade() -> None:
    op.drop_table("case_read")
