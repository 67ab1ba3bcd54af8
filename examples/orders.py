"""Orders: one flow over four services, undone where a step of it fails.

The flow is a graph that the client runs; what undoes a step is a task of the step's own service.
Both end with the client: an order that has to outlive its process needs a store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from celery_rpc import Graph, OutcomeUnknown, RpcError, Run, Step, StepState, WorkerLost


@dataclass(frozen=True, slots=True)
class Order:
    """What a customer wants to buy."""

    id: str
    customer: str
    sku: str
    #: What it costs, as a decimal number.
    amount: str
    quantity: int = 1
    picture: str = "order.png"


@dataclass(frozen=True, slots=True)
class Undo:
    """The task that undoes a step, by the ``id`` in the step's result."""

    step: Step
    task: Any


def place(client: Any, order: Order, *, timeout: float = 10.0) -> Any:
    """Place an order, and give its receipt; if a step fails, undo what was done before.

    Raises:
        RpcError: that of the step that failed; its notes say what was undone, and what was not.
    """
    graph, undos = order_flow(client, order)
    run = client.run(graph, timeout=timeout)
    try:
        return run.get()
    except RpcError as error:
        for undo in undos:
            undone(run, undo, error)
        raise


def order_flow(client: Any, order: Order) -> tuple[Graph, Sequence[Undo]]:
    """Return the steps of an order, and what undoes them, the last first."""
    billing, inventory = client.billing, client.inventory
    flow = Graph()
    reserved = flow.add(inventory.reserve.s(order.sku, order.quantity))
    charged = flow.add(billing.charge.si(order.customer, order.amount), after=reserved)
    address = f"{order.customer}@shop.example"
    mailed = flow.add(client.mail.send.si(address, f"Order {order.id}"), after=charged)
    pictured = flow.add(client.media.thumbnail.si(order.picture), after=charged)
    receipt = flow.add(billing.receipt.s(order.id), after={"charge": charged, "mail": mailed})
    flow.order(pictured, receipt)
    return flow, [Undo(charged, billing.refund), Undo(reserved, inventory.release)]


def undone(run: Run, undo: Undo, error: RpcError) -> None:
    """Undo a step if it was done, and note on the error how it stands."""
    if run.state(undo.step) is StepState.SKIPPED:
        return
    result = run.result(undo.step).get(propagate=False)
    if isinstance(result, OutcomeUnknown | WorkerLost):
        error.add_note(f"{undo.step.task} may have been done, and was not undone: {result}")
    elif not isinstance(result, Exception):
        try:
            undo.task(result["id"])
            error.add_note(f"{undo.step.task} was undone by {undo.task.name}")
        except RpcError as failure:
            error.add_note(f"{undo.step.task} was not undone: {failure}")
