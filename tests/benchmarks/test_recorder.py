"""What it costs the load generator to keep its books: per sample, and once a second."""

import random
from collections.abc import Callable

import pytest

from jivsbench.load.blocks import OpenBlock
from jivsbench.load.recorder import NS_PER_S, Recorder, Sample
from jivsbench.model.sample import OperationKind
from jivsbench.model.scenario import Block

OPERATIONS = (
    ("create", OperationKind.CALL),
    ("start", OperationKind.CALL),
    ("wait", OperationKind.WAIT),
    ("statistics", OperationKind.CALL),
    ("job", OperationKind.JOB),
)


def make_samples(count: int) -> list[Sample]:
    """Five operations in turn, over one second, with log-normal durations."""
    source = random.Random(1)
    samples = []
    for number in range(count):
        ended_ns = number * NS_PER_S // count
        service_ns, lag_ns = int(source.lognormvariate(15, 0.5)), int(source.lognormvariate(11, 1))
        operation, kind = OPERATIONS[number % len(OPERATIONS)]
        samples.append(Sample(operation, kind, ended_ns - service_ns - lag_ns, ended_ns - service_ns, ended_ns))
    return samples


def make_open_recorder(write: Callable[[bytes], object]) -> tuple[Recorder, OpenBlock]:
    """A recorder that a block has been opened in."""
    block = OpenBlock(Block(0, 0, "a", 0.0), 0)
    recorder = Recorder(write)
    recorder.open_block(block)
    return recorder, block


@pytest.mark.benchmark(group="recorder: 1,000 samples")
def test_record(benchmark) -> None:
    """A thousand samples of five operations into one interval."""
    samples = make_samples(1000)
    recorder, block = make_open_recorder(lambda _line: None)

    def record() -> None:
        for sample in samples:
            recorder.record(block, sample)

    benchmark(record)

    assert recorder.operations >= 1000


@pytest.mark.benchmark(group="recorder: one second of 1,000 samples")
def test_flush(benchmark) -> None:
    """A second's interval built and written; this is the longest the generator stands still, if it does not pause."""
    samples = make_samples(1000)
    written: list[bytes] = []

    def fill() -> tuple[tuple[Recorder], dict[str, object]]:
        recorder, block = make_open_recorder(written.append)
        for sample in samples:
            recorder.record(block, sample)
        return (recorder,), {}

    benchmark.pedantic(lambda recorder: recorder.flush(NS_PER_S), setup=fill, rounds=50)

    assert written
