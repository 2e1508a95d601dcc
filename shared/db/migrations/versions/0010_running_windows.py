"""cases whose window runs, by when it ends"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    runs = "status IN ('resolved', 'closed') AND state ->> 'sealed' = 'false'"
    ends = "(state #>> '{window,ends_at}'::text[])"
    op.create_index("ix_case_window", "case", [sa.text(ends)], postgresql_where=sa.text(runs))


def downgrade() -> None:
    op.drop_index("ix_case_window", "case")
