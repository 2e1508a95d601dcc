"""attachments"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attachment", sa.Column("seq", sa.Integer(), nullable=True))
    op.add_column("attachment", sa.Column("internal", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("attachment", sa.Column("stored_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("attachment", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_attachment_unattached", "attachment", ["created_at"], postgresql_where=sa.text("case_id IS NULL")
    )
    op.create_index(
        "ix_attachment_to_delete",
        "attachment",
        ["removed_at"],
        postgresql_where=sa.text("removed_at IS NOT NULL AND deleted_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_attachment_to_delete", table_name="attachment")
    op.drop_index("ix_attachment_unattached", table_name="attachment")
    for column in ("deleted_at", "stored_at", "internal", "seq"):
        op.drop_column("attachment", column)
