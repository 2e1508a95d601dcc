"""webhook deliveries"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("disabled_at", "busy_until", "last_success_at", "last_failure_at"):
        op.add_column("webhook", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column("webhook", sa.Column("last_error", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("webhook_id", sa.Integer(), nullable=True))
    op.add_column("delivery", sa.Column("response_status", sa.Integer(), nullable=True))
    op.add_column("delivery", sa.Column("duration_ms", sa.Integer(), nullable=True))
    op.create_foreign_key(
        op.f("fk_delivery_webhook_id"), "delivery", "webhook", ["webhook_id"], ["id"], ondelete="SET NULL"
    )
    op.create_index(
        "ix_delivery_webhook_id",
        "delivery",
        ["webhook_id", "id"],
        unique=False,
        postgresql_where=sa.text("webhook_id IS NOT NULL"),
    )
    op.create_index(
        "ix_delivery_webhook_pending",
        "delivery",
        ["webhook_id", "next_attempt_at"],
        unique=False,
        postgresql_where=sa.text("webhook_id IS NOT NULL AND status = 'pending'"),
    )


def downgrade() -> None:
    op.drop_index("ix_delivery_webhook_pending", table_name="delivery")
    op.drop_index("ix_delivery_webhook_id", table_name="delivery")
    op.drop_constraint(op.f("fk_delivery_webhook_id"), "delivery", type_="foreignkey")
    for name in ("duration_ms", "response_status", "webhook_id"):
        op.drop_column("delivery", name)
    for name in ("last_error", "last_failure_at", "last_success_at", "busy_until", "disabled_at"):
        op.drop_column("webhook", name)
