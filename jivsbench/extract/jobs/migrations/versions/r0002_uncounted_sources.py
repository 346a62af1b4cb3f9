"""A source that cannot count its rows has no rows_in_source."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Allow NULL."""
    with op.batch_alter_table("job_statistics") as table:
        table.alter_column("rows_in_source", existing_type=sa.BigInteger(), nullable=True)


def downgrade() -> None:
    """Back to 0 for the uncounted: the older code cannot read a NULL."""
    op.execute("UPDATE job_statistics SET rows_in_source = 0 WHERE rows_in_source IS NULL")
    with op.batch_alter_table("job_statistics") as table:
        table.alter_column("rows_in_source", existing_type=sa.BigInteger(), nullable=False)
