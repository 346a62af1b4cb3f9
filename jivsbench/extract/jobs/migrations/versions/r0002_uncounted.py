"""A source that cannot count its rows has no rows_in_source; indexes that only speed up go to a branch of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Allow NULL; drop the indexes, which `indexes_0001` makes where they are wanted."""
    with op.batch_alter_table("job_statistics") as table:
        table.alter_column("rows_in_source", existing_type=sa.BigInteger(), nullable=True)
    op.drop_index("ix_jobs_state_created_us", "jobs")
    op.drop_index("ix_jobs_created_us", "jobs")


def downgrade() -> None:
    """Back to 0 for the uncounted: the older code cannot read a NULL."""
    op.execute("UPDATE job_statistics SET rows_in_source = 0 WHERE rows_in_source IS NULL")
    with op.batch_alter_table("job_statistics") as table:
        table.alter_column("rows_in_source", existing_type=sa.BigInteger(), nullable=False)
    op.create_index("ix_jobs_state_created_us", "jobs", ["state", "created_us"])
    op.create_index("ix_jobs_created_us", "jobs", ["created_us"])
