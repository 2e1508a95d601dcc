"""events that were published lately, which a lost stream is to have again"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_case_event_published", "case_event", ["published_at"], postgresql_using="brin")


def downgrade() -> None:
    op.drop_index("ix_case_event_published", "case_event")
