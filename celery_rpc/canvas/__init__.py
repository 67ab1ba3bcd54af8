"""Canvas: signatures of remote tasks, and what is made of them."""

from celery_rpc.canvas.graph import Graph
from celery_rpc.canvas.nodes import Step
from celery_rpc.canvas.plan import Plan, PlannedStep
from celery_rpc.canvas.progress import RunStatus, StepState
from celery_rpc.canvas.results import GroupReply
from celery_rpc.canvas.run import Run
from celery_rpc.canvas.signature import chain, chord, group

__all__ = [
    "Graph",
    "GroupReply",
    "Plan",
    "PlannedStep",
    "Run",
    "RunStatus",
    "Step",
    "StepState",
    "chain",
    "chord",
    "group",
]
