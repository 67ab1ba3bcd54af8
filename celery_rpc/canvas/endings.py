"""Endings: the errors of steps that end without an answer of their worker."""

from collections.abc import Callable, Iterable, Sequence

from celery_rpc.calls.pending import Pending
from celery_rpc.canvas.nodes import Step
from celery_rpc.canvas.progress import StepState
from celery_rpc.errors import CallCancelled, DeadlineExceeded

#: Makes the error of a node that is stopped, of its name, its state, and the names of the steps
#: whose answers are awaited.
Stopping = Callable[[str, StepState, Sequence[str]], Exception]

#: Steps that are named where many are waited for.
NAMED = 3

#: What may have become of a task that does not answer.
SILENT = "may still run, or have replaced itself or ignored its result"


def named(labels: Iterable[str]) -> str:
    """Return the names of a few steps, and how many more there are."""
    known = list(labels)
    more = f" and {len(known) - NAMED:,} more" if len(known) > NAMED else ""
    return ", ".join(known[:NAMED]) + more


def waits_for(labels: Sequence[str]) -> str:
    """Return of a canvas which steps have not answered; nothing where there is none."""
    if not labels:
        return ""
    return f"it waits for an answer from {named(labels)}; a step that was sent {SILENT}"


def too_late(step: Step, pending: Pending) -> DeadlineExceeded:
    """Return the error of a step that had not ended in its own time."""
    return DeadlineExceeded(
        f"{step.label} did not end within its {step.patience:g} s; it {SILENT}",
        task_id=pending.id,
        state=pending.state,
    )


def late(step: str, state: StepState, open_steps: Sequence[str]) -> DeadlineExceeded:
    """Return the error of a step that had not ended when the time of its run was over."""
    if state is StepState.SENT:
        return DeadlineExceeded(f"{step} had not ended by the deadline of its run; it {SILENT}")
    waited = f": no answer had come from {named(open_steps)}" if open_steps else ""
    return DeadlineExceeded(f"{step} was not sent by the deadline of its run{waited}")


def cancelled(step: str, state: StepState, open_steps: Sequence[str]) -> CallCancelled:
    """Return the error of a step whose run was cancelled."""
    when = "while it was under way" if state is StepState.SENT else "before it was sent"
    return CallCancelled(f"the run of {step} was cancelled {when}")
