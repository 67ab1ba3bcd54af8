"""Endings: the errors of steps that end without an answer of their worker."""

from celery_rpc.canvas.nodes import Step
from celery_rpc.canvas.progress import StepState
from celery_rpc.errors import CallCancelled, DeadlineExceeded
from celery_rpc.pending import Pending


def too_late(step: Step, pending: Pending) -> DeadlineExceeded:
    """Return the error of a step that had not ended in its own time."""
    return DeadlineExceeded(
        f"{step.label} did not end within its {step.patience:g} s; it may still run",
        task_id=pending.id,
        state=pending.state,
    )


def late(step: str, state: StepState) -> DeadlineExceeded:
    """Return the error of a step that had not ended when the time of its run was over."""
    if state is StepState.SENT:
        return DeadlineExceeded(
            f"{step} had not ended by the deadline of its run; it may still run"
        )
    return DeadlineExceeded(f"{step} was not sent by the deadline of its run")


def cancelled(step: str, state: StepState) -> CallCancelled:
    """Return the error of a step whose run was cancelled."""
    when = "while it was under way" if state is StepState.SENT else "before it was sent"
    return CallCancelled(f"the run of {step} was cancelled {when}")
