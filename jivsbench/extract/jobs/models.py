"""The tables of the job store. Migrations build them; a test compares the two.

A data source is never deleted while jobs name it: it is made inactive and its URL is erased.
"""

from typing import Final, cast

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, MetaData, String, Table, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite numbers rows by itself only in a column declared INTEGER.
_ROW_NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
_IS_RUNNING: Final = text("state = 'RUNNING'")
_IS_COMPLETED: Final = text("state = 'COMPLETED'")


class StoreTables(DeclarativeBase):
    """The metadata of all tables here."""

    metadata = MetaData(naming_convention=_NAMES)


class DataSourceRow(StoreTables):
    """A data source. `url` is NULL for a source that was declared at start, and for one that is not active any more."""

    __tablename__ = "data_sources"
    __table_args__ = (
        Index(
            "uq_data_sources_active_name",
            "name",
            unique=True,
            sqlite_where=text("is_active"),
            postgresql_where=text("is_active"),
        ),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(63))
    connector: Mapped[str] = mapped_column(String(63))
    url: Mapped[str | None] = mapped_column(Text)
    type_policy: Mapped[str] = mapped_column(String(8))
    tables: Mapped[str | None] = mapped_column(Text)
    is_declared: Mapped[bool]
    is_active: Mapped[bool]
    revision: Mapped[int]
    created_us: Mapped[int] = mapped_column(BigInteger)
    updated_us: Mapped[int] = mapped_column(BigInteger)


class JobRow(StoreTables):
    """A job. `owner` names the service (by its output folder) that may find it interrupted after a crash."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_state_created_us", "state", "created_us"),
        Index("ix_jobs_created_us", "created_us"),
        Index("ix_jobs_running", "owner", sqlite_where=_IS_RUNNING, postgresql_where=_IS_RUNNING),
        Index("ix_jobs_completed", "created_us", sqlite_where=_IS_COMPLETED, postgresql_where=_IS_COMPLETED),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    owner: Mapped[str] = mapped_column(String(32))
    source_id: Mapped[int] = mapped_column(ForeignKey("data_sources.id"))
    request: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(9))
    created_us: Mapped[int] = mapped_column(BigInteger)
    started_us: Mapped[int | None] = mapped_column(BigInteger)
    finished_us: Mapped[int | None] = mapped_column(BigInteger)
    rows_read: Mapped[int | None] = mapped_column(BigInteger)
    rows_written: Mapped[int | None] = mapped_column(BigInteger)
    duration_ns: Mapped[int | None] = mapped_column(BigInteger)
    error_slug: Mapped[str | None] = mapped_column(String(63))
    error_message: Mapped[str | None] = mapped_column(Text)
    output: Mapped[str | None] = mapped_column(Text)
    # "select" is what such code does by default: one query more per job, unless a query asks for the join.
    source: Mapped[DataSourceRow] = relationship(lazy="select")


class JobStatisticsRow(StoreTables):
    """What a completed job did; written once, in the transaction that completes the job."""

    __tablename__ = "job_statistics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    rows_read: Mapped[int] = mapped_column(BigInteger)
    rows_written: Mapped[int] = mapped_column(BigInteger)
    rows_in_source: Mapped[int | None] = mapped_column(BigInteger)
    duration_ns: Mapped[int] = mapped_column(BigInteger)
    files: Mapped[str] = mapped_column(Text)
    phases: Mapped[str] = mapped_column(Text)


class JobLogRow(StoreTables):
    """One line of a job's log."""

    __tablename__ = "job_logs"
    __table_args__ = (Index("ix_job_logs_job_id", "job_id"),)

    id: Mapped[int] = mapped_column(_ROW_NUMBER, primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    at_us: Mapped[int] = mapped_column(BigInteger)
    level: Mapped[str] = mapped_column(String(7))
    message: Mapped[str] = mapped_column(Text)


# Writes use the tables themselves: a unit of work would cost more than the statement it makes.
DATA_SOURCES: Final = cast("Table", DataSourceRow.__table__)
JOBS: Final = cast("Table", JobRow.__table__)
JOB_STATISTICS: Final = cast("Table", JobStatisticsRow.__table__)
JOB_LOGS: Final = cast("Table", JobLogRow.__table__)
