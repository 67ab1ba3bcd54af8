"""Plan: what a canvas would do, before anything is sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from celery_rpc.canvas.client import LaunchClient
from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.launch import awaited_by, check
from celery_rpc.canvas.whole import lines_of
from celery_rpc.errors import RpcError


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One task that would run."""

    number: int
    task: str
    queue: str
    #: Numbers of the steps that it waits for.
    after: Sequence[int]
    #: Nodes that listen on the queue and have the task; None where that is not known.
    workers: frozenset[str] | None
    #: Who sends it: ``client`` or ``worker``.
    sent_by: str

    def __str__(self) -> str:
        after = f" after {', '.join(map(str, self.after))}" if self.after else ""
        listening = "?" if self.workers is None else len(self.workers)
        return (
            f"{self.number:>4}  {self.task} on {self.queue}{after}, sent by the {self.sent_by}, "
            f"workers: {listening}"
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a canvas would do: its steps, and the first thing that is wrong with it."""

    steps: Sequence[PlannedStep]
    #: Why it would be refused; None: it would be sent.
    problem: str | None

    @property
    def queues(self) -> frozenset[str]:
        return frozenset(step.queue for step in self.steps)

    def __str__(self) -> str:
        problem = f"cannot run: {self.problem}" if self.problem else "can run"
        return "\n".join([f"{len(self.steps):,} steps, {problem}", *map(str, self.steps)])


def plan_of(graph: Graph, client: LaunchClient) -> Plan:
    """Describe what a graph would do."""
    try:
        check(graph, client)
        problem = None
    except RpcError as error:
        problem = str(error)
    lines = lines_of(graph, client.max_in_flight)
    firsts = {line.steps[0].index for line in lines or ()}
    places = {step.index for step in graph.steps}
    steps = [
        PlannedStep(
            number=step.index,
            task=step.task,
            queue=step.address.queue,
            after=sorted(awaited_by([step]) & places),
            workers=client.listeners(step),
            sent_by="client" if lines is None or step.index in firsts else "worker",
        )
        for step in graph.steps
    ]
    return Plan(steps, problem)
