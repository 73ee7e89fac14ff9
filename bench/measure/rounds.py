"""A case as it is proven and then timed: rounds from the judge's state to the judge's verdict.

The judge is asked before and after a round, never while a step runs; arrays pass between it and the step through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

from bench import units
from bench.conversation import Reply
from bench.judge.comparing import worst
from bench.machine.devices import is_accelerator
from bench.measure.executor import Judge, Processes
from bench.measure.process import Failed, Process
from bench.plan.sides import Backend
from bench.schema.case import Case
from bench.schema.checking import fault
from bench.schema.records import COUNTERS, ErrorsRecord, RunReply

GRAIN = 2e-9
"""Seconds by which a call that is reported to the nanosecond may be off."""
WARM, THROUGHPUT, LATENCY, DEVICE = "warm", "throughput", "latency", "device"
REHEARSALS, SHORT, ATTEMPTS = 3, 9, 8
"""Rounds of a rehearsal, and rounds of one call; how often more are taken: a busy neighbor may spoil three in a row."""
DEFERRED_SHARE, DEFERRED_STEPS = 0.1, 2.0
"""What putting state in and taking it out may take, besides twice what they take without steps: a
share of the round, and some steps, since an interruption is as long however short the round is."""


@dataclass(frozen=True)
class Round:
    """What came of one round; times are by the conductor's clock."""

    run: RunReply
    errors: ErrorsRecord | None
    put_seconds: float
    """State in, from the copy into the worker's region."""
    take_seconds: float
    """Losses and state out, to the copy out of the region."""
    span_seconds: float
    """From sending the state to having losses and state back."""


@dataclass
class TimedCase:
    """A case, how long its rounds are, and the processes that prove it and take its steps."""

    judge: Judge
    case: Case
    backend: Backend
    about_steps: int
    """Of a round, which has at least one call."""
    worker: Process = field(init=False)
    """Of the current pass."""
    marks: bool = False
    """Whether its device has a clock of its own; known once the step is open."""

    @property
    def calls(self) -> int:
        return max(1, self.about_steps // self.backend.steps_per_call)

    @property
    def steps(self) -> int:
        return self.calls * self.backend.steps_per_call

    @property
    def place(self) -> dict[str, str]:
        """What the judge knows of a case."""
        return {"shape": self.case.shape, "dtype": self.case.dtype}

    def open(self, executor: Processes, elsewhere: bool) -> Reply:
        """Loads, opens and proves a step in a new worker.

        Returns the worker's reply to `open`, with the worst errors of the proof and the seed of its
        problems. `elsewhere`: also at other shapes, in turns, and with a rehearsal of what is timed.
        Raises `Failed`.
        """
        self.worker = executor.worker(self.case)
        self.worker.ask("load", path=self.backend.path, cpus=executor.cpus(self.case))
        given = self.judge.ask("problem", **self.place)
        arrays = self.worker.copied(self.judge, given)
        reply = self.worker.ask("open", case=self.case.as_json(), problem=given["problem"], arrays=arrays)
        self.marks = reply.get("marks") is True
        reply["errors"] = None
        if self.backend.proven:
            about = {**self.place, "every": self.backend.steps_per_call}
            questions = (self.judge.ask("prove", number=number, **about) for number in range(given["proofs"]))
            first = next(questions)
            errors = [self._compare("prove", first)]
            if elsewhere:
                for question in questions:
                    self._compare("prove", question)
                self._compare("turns", self.judge.ask("turns", **about))
                errors += self._rehearse()
            reply |= {"errors": worst(errors), "nonce": first["nonce"]}
        self.worker.ask("settle")
        return reply

    def _compare(self, do: str, question: Reply) -> Any:
        """The judge's verdict on a worker's answers to a question."""
        arrays = self.worker.copied(self.judge, question)
        answers = self.worker.ask(do, arrays=arrays, problem=question["problem"], calls=question["calls"])
        return self.judge.ask("judged", name=question["name"], arrays=self.judge.copied(self.worker, answers))["errors"]

    def _rehearse(self) -> list[Any]:
        """The errors of rounds like those that are timed; a step that defers work is found here."""
        place, short, rounds = ("rehearsal", THROUGHPUT), list[Round](), list[Round]()
        for _ in range(ATTEMPTS):
            draw(self.judge, [self.drawn(*place, calls) for calls in (1, self.calls)])
            short += [self.round(*place, 1) for _ in range(SHORT)]
            rounds += [self.round(*place, self.calls) for _ in range(REHEARSALS)]
            what = self._deferred_work(rounds, short)
            if what is None:
                return [each.errors for each in rounds]
        raise Failed("wrong", str(what))

    def _deferred_work(self, rounds: Sequence[Round], short: Sequence[Round]) -> str | None:
        """A phrase for a step that works outside `step()`; `short` are rounds of one call, which show what moving
        the state takes."""
        inside = median(each.run["seconds"] for each in rounds)
        more = DEFERRED_SHARE * inside + DEFERRED_STEPS * inside / self.steps
        for name, place in (("set_state()", "put_seconds"), ("get_state()", "take_seconds")):
            seconds, without = (min(getattr(each, place) for each in some) for some in (rounds, short))
            if seconds > 2 * without + more:
                return (
                    f"spends {units.seconds(seconds)} in {name} and {units.seconds(inside)} in {self.steps} "
                    "steps: it defers work until the clock has stopped, or does it before; do all of it "
                    "in step(), or wait for it in synchronize()"
                )
        return None

    def rounds(self, block: str) -> list[dict[str, Any]]:
        """All that the judge has to draw for a visit."""
        modes = [THROUGHPUT, LATENCY, *([DEVICE] if is_accelerator(self.case.device) else [])]
        return [self.drawn(block, WARM, 1), *(self.drawn(block, mode, self.calls) for mode in modes)]

    def drawn(self, block: str, mode: str, calls: int) -> dict[str, Any]:
        """What the judge has to draw for a round. Cases of one shape and dtype share the rounds of a
        block: one reference proves all."""
        every = self.backend.steps_per_call
        name = f"{block} {self.case.shape} {self.case.dtype} {mode} {calls * every}/{every}"
        proven = self.backend.proven and mode != WARM
        return {**self.place, "name": name, "steps": calls * every, "every": every, "proven": proven}

    def visit(self, block: str) -> Reply:
        """Runs every round, the throughput's first: a journal's visit. Raises `Failed`."""
        warm = self.judge.ask("start", name=self.drawn(block, WARM, 1)["name"])
        self.worker.ask("put", arrays=self.worker.copied(self.judge, warm))
        self.worker.ask("run", mode=THROUGHPUT, calls=1)
        rounds = [self.round(block, mode, self.calls) for mode in (THROUGHPUT, LATENCY, *([DEVICE] if self.marks else []))]
        self.worker.ask("settle")
        throughput, latency, *device = (each.run for each in rounds)
        _check_calls(throughput, throughput.get("queued"), self.calls)
        _check_calls(latency, latency["seconds"], self.calls)
        return {
            "steps": self.steps,
            "throughput_seconds": throughput["seconds"],
            "dispatch_seconds": throughput.get("queued"),
            "latency_seconds": latency["seconds"],
            "throughput_call_seconds": throughput.get("calls"),
            "latency_call_seconds": latency.get("calls"),
            "device_seconds": device[0]["seconds"] if device else None,
            **{name: throughput.get(name) for name in COUNTERS},
            "errors": worst(each.errors for each in rounds),
        }

    def round(self, block: str, mode: str, calls: int) -> Round:
        """State in, calls and a wait, losses and state out; then the judge's verdict. Raises `Failed`."""
        worker, name = self.worker, self.drawn(block, mode, calls)["name"]
        state = self.judge.ask("start", name=name)
        start = perf_counter()
        worker.ask("put", arrays=worker.copied(self.judge, state))
        placed = perf_counter()
        run: Any = worker.ask("run", mode=mode, calls=calls)
        ran = perf_counter()
        layout = self.judge.copied(worker, worker.ask("take"))  # what a worker writes from here on is not read
        end = perf_counter()
        if what := fault(run, RunReply):
            raise Failed("failed", f"answers with a round whose {what}")
        errors = self.judge.ask("judged", name=name, arrays=layout)["errors"] if self.backend.proven else None
        return Round(run, errors, placed - start, end - ran, end - start)


def draw(judge: Judge, *blocks: Iterable[dict[str, Any]]) -> Any:
    """Has the judge draw the rounds of these blocks, each round once; the nonces of the blocks.

    A round is trained if one of the cases that share it is proven.
    """
    merged = [{each["name"]: each for each in sorted(block, key=lambda each: each["proven"])} for block in blocks]
    return judge.ask("draw", blocks=[[*rounds.values()] for rounds in merged])["nonces"]


def _check_calls(run: RunReply, whole: float | None, number: int) -> None:
    """Raises `Failed` unless the calls are as many as asked for and add up to `whole`."""
    calls = run.get("calls")
    if calls is not None and whole is not None and (len(calls) != number or abs(sum(calls) - whole) > number * GRAIN):
        reported = f"reports {len(calls)} calls that take {sum(calls):.3g} s"
        raise Failed("wrong", f"{reported}, {number} take {whole:.3g} s")
