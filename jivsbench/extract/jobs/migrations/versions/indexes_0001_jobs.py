"""Indexes on jobs: a branch of its own, because a profile can do without them (switch `indexes`)."""

from alembic import op
from sqlalchemy import text

revision = "indexes_0001"
down_revision = None
branch_labels = ("indexes",)
depends_on = "0002"

_INDEXES = (
    ("ix_jobs_state_created_us", ["state", "created_us"], None),
    ("ix_jobs_created_us", ["created_us"], None),
    ("ix_jobs_running", ["owner"], "state = 'RUNNING'"),
    ("ix_jobs_completed", ["created_us"], "state = 'COMPLETED'"),
)


def upgrade() -> None:
    """Make them."""
    for name, columns, condition in _INDEXES:
        where = None if condition is None else text(condition)
        op.create_index(name, "jobs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """Drop them."""
    for name, _columns, _condition in _INDEXES:
        op.drop_index(name, "jobs")
