"""The load child as master: load machines join it over Locust's own protocol, each plays its part, and it adds up what they saw.

It sends no load itself. All machines begin at one moment: each one's clock is compared with the master's beforehand.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import gevent
import gevent.event
import gevent.queue
from locust.env import Environment
from locust.event import Events
from locust.runners import STATE_MISSING, MasterRunner
from pydantic import TypeAdapter

from jivsbench import __version__
from jivsbench.errors import EnvironmentProblem, InvalidRunError
from jivsbench.load.blocks import OpenBlock
from jivsbench.load.intervals import parse_interval
from jivsbench.load.messages import Message, Progressed, Started, Waited
from jivsbench.load.progress import LoadMachines, LoadProgress
from jivsbench.load.recorder import NS_PER_S, Recorder
from jivsbench.load.shape import curve_duration_s
from jivsbench.load.sharing import merge_facts, merge_totals, share_spec
from jivsbench.load.spec import LoadOutcome, LoadSpec, Share
from jivsbench.load.worker.cpu_clock import read_cpu_s
from jivsbench.load.worker.page import open_page
from jivsbench.load.worker.ports import require_free_port
from jivsbench.model.scenario import Arrival

MESSAGE: Final = "jivsbench"
SILENCE_S: Final = 5.0
_CLOCK_ROUNDS: Final = 9
_HEAD_START_NS: Final = 500_000_000
_LATEST_SECONDS: Final = 2
_LOOK_S: Final = 1.0
_PREPARATION_S: Final = 120.0
_PAUSE_S: Final = 0.0005


@dataclass(slots=True)
class Machine:
    """One load machine. Named by its number: a host name is nobody's business but its owner's."""

    client_id: str
    index: int
    offset_ns: int = 0
    heard_s: float = 0.0
    users: int = 0
    operations: int = 0
    settled_s: int = 0
    outcome: LoadOutcome | None = None
    round_trips: list[tuple[int, int]] = field(default_factory=list)
    """Round trip and offset of each comparison of the clocks."""


class Master:
    """One load that is shared."""

    def __init__(
        self,
        spec: LoadSpec,
        write: Callable[[bytes], object],
        tell: Callable[[Message], None],
        ended: gevent.event.AsyncResult,
        cut: gevent.event.Event,
    ) -> None:
        self._spec = spec
        self._meeting = spec.meeting
        self._tell = tell
        self._ended = ended
        self._cut = cut
        self._recorder = Recorder(write, counts_arrivals=spec.arrival is Arrival.RATE)
        self._inbox: gevent.queue.SimpleQueue[tuple[str, dict[str, Any]]] = gevent.queue.SimpleQueue()
        self._machines: dict[str, Machine] = {}
        self._origin_ns = 0
        (plan,) = spec.blocks
        self._pid = next(arm.pid for arm in spec.arms if arm.arm == plan.arm)
        self._cpu_s: float | None = None
        self._block = OpenBlock(plan, 0)
        self._runner = self._open_runner()

    def play(self) -> LoadOutcome | None:
        """Wait for the machines, let them play, add up. None when the load was ended from outside.

        Raises EnvironmentProblem when they do not come, InvalidRunError when one is lost or fails.
        """
        try:
            if not (self._gather() and self._prepare()):
                return None
            self._compare_clocks()
            self._start()
            return self._merge() if self._collect() else None
        finally:
            self._recorder.close()
            self._runner.send_message(MESSAGE, {"kind": "stop"})
            self._runner.quit()

    def _open_runner(self) -> MasterRunner:
        host, port = self._meeting.host, self._meeting.port
        require_free_port(host, port, "the master of the load machines", "--master-port")
        environment = Environment(events=Events())  # type: ignore[no-untyped-call]
        runner = environment.create_master_runner(host, port)
        runner.register_message(MESSAGE, lambda msg, **_: self._inbox.put((msg.node_id, msg.data)))
        if self._spec.page_port is not None:
            open_page(environment, self._spec.page_port, self._ended.set_exception)
        return runner

    def _gather(self) -> bool:
        """Until every expected machine has said hello."""
        limit_s = time.monotonic() + self._meeting.limit_s
        expected, address = self._meeting.machines, self._address
        for client_id, data in self._messages():
            self._forget_gone()
            if data.get("kind") == "hello":
                self._welcome(client_id, data.get("version"))
            self._say_waiting()
            if len(self._machines) == expected:
                return True
            if time.monotonic() > limit_s:
                raise EnvironmentProblem(
                    f"{len(self._machines)} of {expected} load machines joined {address} within {self._meeting.limit_s:.0f} s:"
                    f" start `jivsbench worker --master {self._meeting.host}` on the others"
                )
        return False

    def _welcome(self, client_id: str, version: object) -> None:
        if version != __version__:
            raise EnvironmentProblem(
                f"a load machine with jivsbench {str(version)[:20]} joined a master with {__version__}:"
                " install the same version on all"
            )
        if client_id not in self._machines and len(self._machines) < self._meeting.machines:
            self._machines[client_id] = Machine(client_id, len(self._machines), heard_s=time.monotonic())

    def _forget_gone(self) -> None:
        """A machine that left before the load began makes room for another; those that stay are numbered anew."""
        gone = [client_id for client_id in self._machines if self._is_gone(client_id)]
        for client_id in gone:
            del self._machines[client_id]
        for index, machine in enumerate(self._machines.values()):
            machine.index = index

    def _is_gone(self, client_id: str) -> bool:
        node = self._runner.clients.get(client_id)
        return node is None or node.state == STATE_MISSING

    def _prepare(self) -> bool:
        """Tell each machine its part; until all have their users ready."""
        adapter = TypeAdapter(LoadSpec)
        for machine in self._machines.values():
            part = share_spec(self._spec, Share(machine.index, self._meeting.machines))
            self._send(machine, {"kind": "load", "spec": adapter.dump_json(part).decode()})
        ready: set[str] = set()
        limit_s = time.monotonic() + _PREPARATION_S
        for client_id, data in self._messages():
            if data.get("kind") == "prepared":
                ready.add(client_id)
            if len(ready) == len(self._machines):
                return True
            self._say_waiting()
            self._find_lost(silence_s=_PREPARATION_S)
            if time.monotonic() > limit_s:
                raise InvalidRunError(
                    f"only {len(ready)} of {len(self._machines)} load machines were ready after {_PREPARATION_S:.0f} s"
                )
        return False

    def _compare_clocks(self) -> None:
        """The offset of each machine's clock, from the quickest of a few exchanges: right to half its round trip."""
        for machine in self._machines.values():
            self._say_waiting()
            for _ in range(_CLOCK_ROUNDS):
                self._send(machine, {"kind": "clock", "sent_ns": time.monotonic_ns()})
                for client_id, data in self._messages():
                    if client_id == machine.client_id and data.get("kind") == "clock":
                        trip_ns = time.monotonic_ns() - data["sent_ns"]
                        machine.round_trips.append((trip_ns, data["own_ns"] - data["sent_ns"] - trip_ns // 2))
                        break
                    self._say_waiting()
                    # Whoever is not being compared has nothing to say. One that is gone is missed by Locust's heartbeat.
                    self._find_lost(silence_s=_PREPARATION_S)
            machine.offset_ns = min(machine.round_trips)[1]

    def _start(self) -> None:
        self._origin_ns = time.monotonic_ns() + _HEAD_START_NS
        self._recorder.begin(self._origin_ns)
        self._block = OpenBlock(self._block.plan, self._origin_ns)
        self._recorder.open_block(self._block)
        self._cpu_s = read_cpu_s(self._pid)
        for machine in self._machines.values():
            # Its silence counts from now on: while others were compared it had nothing to say.
            machine.heard_s = time.monotonic()
            self._send(machine, {"kind": "start", "at_ns": self._origin_ns + machine.offset_ns})
        # Locust's page shows what its workers report.
        self._runner.update_state("running")
        self._tell(Started())

    def _collect(self) -> bool:
        """Add up what the machines send, until all are done. A load that is cut is cut on each of them."""
        next_s = time.monotonic() + _LOOK_S
        is_cut = False
        for client_id, data in self._messages():
            if self._cut.is_set() and not is_cut:
                is_cut = True
                for each in self._machines.values():
                    self._send(each, {"kind": "cut"})
            machine = self._machines.get(client_id)
            if machine is not None:
                self._take(machine, data)
            if all(each.outcome is not None for each in self._machines.values()):
                return True
            if time.monotonic() >= next_s:
                next_s += _LOOK_S
                self._find_lost()
                self._recorder.flush(time.monotonic_ns() - _LATEST_SECONDS * NS_PER_S, lambda: gevent.sleep(_PAUSE_S))
                self._tell(Progressed(self._describe()))
        return False

    def _take(self, machine: Machine, data: dict[str, Any]) -> None:
        match data.get("kind"):
            case "intervals":
                for line in data["lines"]:
                    interval = parse_interval(line)
                    machine.users = interval.users
                    machine.operations += sum(part.count for part in interval.operations)
                    self._recorder.absorb(machine.index, self._block, interval)
                machine.settled_s = data["settled_s"]
            case "done":
                machine.outcome = TypeAdapter(LoadOutcome).validate_json(data["outcome"])
                sent = machine.outcome.generator.operations
                if sent != machine.operations:
                    raise InvalidRunError(
                        f"{self._name(machine)} counted {sent} operations and {machine.operations} of them arrived:"
                        " samples were lost on the way; measure again"
                    )

    def _messages(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """What the machines send, and an empty message when nothing came for a while. Ends when the load is ended."""
        while not self._ended.ready():
            try:
                client_id, data = self._inbox.get(timeout=0.2)
            except gevent.queue.Empty:
                client_id, data = "", {}
            machine = self._machines.get(client_id)
            if machine is not None:
                machine.heard_s = time.monotonic()
            if machine is not None and data.get("kind") == "failed":
                raise InvalidRunError(f"{self._name(machine)} could not go on: {data['message']}")
            yield client_id, data
        # Raises what the load was ended with, if it was an error.
        self._ended.get()

    def _find_lost(self, silence_s: float = SILENCE_S) -> None:
        """Raise InvalidRunError for a machine that has left, or has been silent."""
        for machine in self._machines.values():
            if machine.outcome is not None:
                continue
            quiet_s = time.monotonic() - machine.heard_s
            if self._is_gone(machine.client_id) or quiet_s > silence_s:
                into_s = max(0, time.monotonic_ns() - self._origin_ns) / NS_PER_S if self._origin_ns else 0.0
                moment = f"{into_s:.0f} s into the load" if self._origin_ns else "before the load began"
                raise InvalidRunError(
                    f"{self._name(machine)} was lost {moment} (last heard {quiet_s:.0f} s before):"
                    " its part of the load was not sent; see its own output"
                )

    def _merge(self) -> LoadOutcome:
        outcomes = [machine.outcome for machine in self._machines.values() if machine.outcome is not None]
        rows = [row for outcome in outcomes for row in outcome.blocks]
        self._block.last_ns = self._origin_ns + max(row.drained_ns for row in rows)
        self._block.measured_ns = self._origin_ns + max(row.measured_ns for row in rows)
        cpu_s = read_cpu_s(self._pid)
        if cpu_s is not None and self._cpu_s is not None:
            self._block.cpu_s = cpu_s - self._cpu_s
        self._block.close(self._origin_ns + max(row.end_ns for row in rows))
        return LoadOutcome(
            blocks=(self._block.build_row(self._origin_ns),),
            totals=tuple((arm.arm, merge_totals(outcomes, arm.arm)) for arm in self._spec.arms),
            generator=merge_facts([outcome.generator for outcome in outcomes]),
            started_ns=self._origin_ns,
        )

    def _describe(self) -> LoadProgress:
        arm = self._block.plan.arm
        return self._recorder.recent(arm).describe(
            elapsed_s=max(0, time.monotonic_ns() - self._origin_ns) / NS_PER_S,
            total_s=curve_duration_s(self._spec.stages),
            arm=arm,
            block=0,
            blocks=1,
            users=sum(machine.users for machine in self._machines.values()),
            lag_p99_ns=self._recorder.lag_p99_ns(),
            settled_s=min(
                [self._recorder.settled_s(), *(each.settled_s for each in self._machines.values() if not each.outcome)]
            ),
        )

    @property
    def _address(self) -> str:
        return f"{self._meeting.host}:{self._meeting.port}"

    def _say_waiting(self) -> None:
        self._tell(Waited(LoadMachines(len(self._machines), self._meeting.machines, self._address)))

    def _send(self, machine: Machine, data: dict[str, Any]) -> None:
        self._runner.send_message(MESSAGE, data, machine.client_id)

    def _name(self, machine: Machine) -> str:
        return f"load machine {machine.index + 1} of {self._meeting.machines}"
