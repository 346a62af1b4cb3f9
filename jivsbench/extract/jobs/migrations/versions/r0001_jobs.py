"""Data sources, jobs, their statistics and their logs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("schema",)
depends_on = None


def upgrade() -> None:
    """Create the four tables."""
    _create_data_sources()
    _create_jobs()
    _create_job_statistics()
    _create_job_logs()


def downgrade() -> None:
    """Drop them, children first."""
    for table in ("job_logs", "job_statistics", "jobs", "data_sources"):
        op.drop_table(table)


def _create_data_sources() -> None:
    op.create_table(
        "data_sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("connector", sa.String(63), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("type_policy", sa.String(8), nullable=False),
        sa.Column("tables", sa.Text(), nullable=True),
        sa.Column("is_declared", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_data_sources"),
    )
    op.create_index(
        "uq_data_sources_active_name",
        "data_sources",
        ["name"],
        unique=True,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("state", sa.String(9), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("started_us", sa.BigInteger(), nullable=True),
        sa.Column("finished_us", sa.BigInteger(), nullable=True),
        sa.Column("rows_read", sa.BigInteger(), nullable=True),
        sa.Column("rows_written", sa.BigInteger(), nullable=True),
        sa.Column("duration_ns", sa.BigInteger(), nullable=True),
        sa.Column("error_slug", sa.String(63), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("output", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["source_id"], ["data_sources.id"], name="fk_jobs_source_id_data_sources"),
    )
    op.create_index("ix_jobs_state_created_us", "jobs", ["state", "created_us"])
    op.create_index("ix_jobs_created_us", "jobs", ["created_us"])


def _create_job_statistics() -> None:
    op.create_table(
        "job_statistics",
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("rows_read", sa.BigInteger(), nullable=False),
        sa.Column("rows_written", sa.BigInteger(), nullable=False),
        sa.Column("rows_in_source", sa.BigInteger(), nullable=False),
        sa.Column("duration_ns", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("phases", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_job_statistics"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_statistics_job_id_jobs"),
    )


def _create_job_logs() -> None:
    op.create_table(
        "job_logs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.String(36), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(7), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_logs"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_logs_job_id_jobs"),
    )
    op.create_index("ix_job_logs_job_id", "job_logs", ["job_id"])
