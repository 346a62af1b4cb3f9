"""Keeps one row for each run and one for each of its figures. A run is stored once; afterwards only its verdict may change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    insert,
    select,
    update,
)
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from jivsbench.errors import ConfigError, EnvironmentProblem, OutputError
from jivsbench.extract.jobs.database_url import parse_database_url
from jivsbench.model.gate import WHOLE
from jivsbench.model.history import HistoryRun, HistoryValue, SeriesKey
from jivsbench.model.secret import Secret, format_url_without_secret
from jivsbench.model.summary import Figure
from jivsbench.private_folders import make_missing_folders

FILENAME: Final = "history.sqlite3"
_VERSION: Final = 1
_METADATA: Final = MetaData()
_ABOUT: Final = Table("jivsbench_history", _METADATA, Column("version", Integer, primary_key=True))
_RUNS: Final = Table(
    "jivsbench_history_runs",
    _METADATA,
    Column("run_id", String(200), primary_key=True),
    Column("started_at", String(40), nullable=False, index=True),
    Column("git_commit", String(64)),
    Column("scenario", String(200), nullable=False),
    Column("series", String(64), nullable=False, index=True),
    Column("outcome", String(20), nullable=False),
    Column("version", String(40), nullable=False),
)
_FIGURES: Final = Table(
    "jivsbench_history_figures",
    _METADATA,
    Column("run_id", String(200), ForeignKey(_RUNS.c.run_id, ondelete="CASCADE"), primary_key=True),
    Column("arm", String(200), primary_key=True),
    Column("metric", String(200), primary_key=True),
    Column("statistic", String(20), primary_key=True),
    Column("value", Float, nullable=False),
    Column("unit", String(20), nullable=False),
    Column("samples", Integer, nullable=False),
)


class HistoryStore:
    """An open history. Closes its connections at the end of its block."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._engine.dispose()

    def add(self, run: HistoryRun, figures: Sequence[Figure]) -> bool:
        """Store a run with its measured figures over the whole of it; False when it is there already."""
        rows = [
            {
                "run_id": run.run_id,
                "arm": figure.arm,
                "metric": figure.metric,
                "statistic": figure.statistic,
                "value": figure.value,
                "unit": figure.unit.value,
                "samples": figure.samples,
            }
            for figure in figures
            if figure.value is not None and figure.window == WHOLE
        ]
        with self._transaction() as connection:
            if connection.execute(select(_RUNS.c.run_id).where(_RUNS.c.run_id == run.run_id)).first():
                return False
            try:
                connection.execute(insert(_RUNS).values(**_as_row(run)))
            except IntegrityError:
                # Another process stored it between the look and the write.
                connection.rollback()
                return False
            if rows:
                connection.execute(insert(_FIGURES), rows)
        return True

    def update_outcome(self, run: HistoryRun) -> None:
        """The verdict of a run that is stored: whoever answers for what is open may have come later."""
        with self._transaction() as connection:
            connection.execute(update(_RUNS).where(_RUNS.c.run_id == run.run_id).values(outcome=run.outcome))

    def list_runs(self) -> tuple[HistoryRun, ...]:
        """Every run, the oldest first."""
        with self._transaction() as connection:
            found = connection.execute(select(_RUNS).order_by(_RUNS.c.started_at, _RUNS.c.run_id)).mappings()
            return tuple(HistoryRun(**row) for row in found)

    def read_series(self, metrics: Sequence[tuple[str, str]]) -> dict[SeriesKey, tuple[HistoryValue, ...]]:
        """The values of these metrics by series, the oldest first. Runs that were INVALID say nothing and are left out."""
        query = (
            select(_RUNS, _FIGURES.c.arm, _FIGURES.c.metric, _FIGURES.c.statistic, _FIGURES.c.value, _FIGURES.c.unit)
            .join(_FIGURES, _FIGURES.c.run_id == _RUNS.c.run_id)
            .where(_RUNS.c.outcome != "INVALID", _FIGURES.c.metric.in_(sorted({metric for metric, _ in metrics})))
            .order_by(_RUNS.c.started_at, _RUNS.c.run_id)
        )
        series: dict[SeriesKey, list[HistoryValue]] = {}
        with self._transaction() as connection:
            for row in connection.execute(query).mappings():
                if (row["metric"], row["statistic"]) in metrics:
                    key = SeriesKey(row["scenario"], row["series"], row["arm"], row["metric"], row["statistic"], row["unit"])
                    value = HistoryValue(row["run_id"], row["started_at"], row["git_commit"], row["value"])
                    series.setdefault(key, []).append(value)
        return {key: tuple(values) for key, values in series.items()}

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as exc:
            raise EnvironmentProblem(
                f"the history cannot be read or written ({type(exc).__name__}): is the server up, is the disk full?"
            ) from exc


def open_history(url: Secret | None, folder: Path) -> HistoryStore:
    """Connect, and make the tables when they are missing. Without a URL: a SQLite file in `folder`.

    Raises ConfigError for a URL of another kind and for a history of a newer version, OutputError for a folder that cannot
    be written, EnvironmentProblem when the server does not answer.
    """
    target = parse_database_url(url, "the history") if url else URL.create("sqlite", database=str(_make_file(folder)))
    shown = format_url_without_secret(url) if url else str(folder / FILENAME)
    engine = create_engine(
        target, hide_parameters=True, **({"connect_args": {"timeout": 30}} if target.drivername == "sqlite" else {})
    )
    try:
        with engine.begin() as connection:
            _METADATA.create_all(connection)
            versions = [row.version for row in connection.execute(select(_ABOUT))]
            if not versions:
                connection.execute(insert(_ABOUT).values(version=_VERSION))
    except SQLAlchemyError as exc:
        engine.dispose()
        # The driver's own words can hold the password, so only the class is named.
        raise EnvironmentProblem(
            f"the history {shown} could not be opened ({type(exc).__name__}): is the server up, may the user create tables?"
        ) from exc
    if versions and max(versions) > _VERSION:
        engine.dispose()
        raise ConfigError(f"the history {shown} is of version {max(versions)}, this jivsbench knows {_VERSION}: update jivsbench")
    return HistoryStore(engine)


def _as_row(run: HistoryRun) -> dict[str, object]:
    return {column.name: getattr(run, column.name) for column in _RUNS.columns}


def _make_file(folder: Path) -> Path:
    try:
        make_missing_folders(folder)
        path = folder / FILENAME
        path.touch(mode=0o600)
    except OSError as exc:
        raise OutputError(f"the history belongs into {folder}, which cannot be written ({exc.strerror}): choose another") from exc
    return path
