"""open cases, for a desk's figures"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_case_open", "case", ["desk_id"], postgresql_where=sa.text("status <> 'closed'"))


def downgrade() -> None:
    op.drop_index("ix_case_open", "case")
