"""Rules: what may differ between two catalogs, and whom it breaks; one table."""

from dataclasses import dataclass
from enum import StrEnum


class Effect(StrEnum):
    """Whom a change breaks."""

    #: Who calls the service as it was.
    CALLERS = "callers"
    #: What was sent to the service as it was, and still waits in its queue.
    MESSAGES = "messages"


Effects = frozenset[Effect]

NOBODY: Effects = frozenset()
CALLERS: Effects = frozenset({Effect.CALLERS})
MESSAGES: Effects = frozenset({Effect.MESSAGES})
BOTH = CALLERS | MESSAGES


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a service may change.

    A change to what a task takes breaks others than the same change to what it gives; where a
    rule is not about types, the two are equal.
    """

    id: str
    summary: str
    taken: Effects
    given: Effects


def rule(name: str, summary: str, taken: Effects, given: Effects | None = None) -> Rule:
    return Rule(name, summary, taken, taken if given is None else given)


#: id -> rule, in the order in which they are documented (docs/catalog.md).
RULES = {
    each.id: each
    for each in (
        # Services and tasks
        rule("SERVICE_REMOVED", "no task is on the queue any more", BOTH),
        rule("SERVICE_ADDED", "the queue is new", NOBODY),
        rule("TASK_REMOVED", "the task is gone", BOTH),
        rule("TASK_ADDED", "the task is new", NOBODY),
        rule("QUEUE_CHANGED", "the task is on another queue", BOTH),
        rule("QUEUE_ARGUMENTS_CHANGED", "the queue has to be deleted and made anew", MESSAGES),
        rule("QUEUE_BINDING_CHANGED", "the queue is bound in another way", NOBODY),
        rule("BACKEND_CHANGED", "results go elsewhere", CALLERS),
        rule(
            "IGNORE_RESULT_CHANGED", "the task gives a result, or none, where it did not", CALLERS
        ),
        rule("DEPRECATED", "the task should not be used any more", NOBODY),
        rule("SIGNATURE_UNKNOWN", "one side does not tell the signature", NOBODY),
        rule("MESSAGE_REFUSED", "a message that waits now does not fit", MESSAGES),
        # Parameters
        rule("PARAMETER_ADDED_REQUIRED", "a new parameter has no default", BOTH),
        rule("PARAMETER_ADDED_OPTIONAL", "a new parameter has a default", NOBODY),
        rule("PARAMETER_REMOVED", "a parameter is gone", BOTH),
        rule("PARAMETER_RENAMED", "a parameter has another name", BOTH),
        rule("PARAMETER_REORDERED", "positional arguments go to other parameters", BOTH),
        rule("PARAMETER_KIND_CHANGED", "a parameter is passed in another way", BOTH),
        rule("PARAMETER_BECAME_REQUIRED", "a parameter has lost its default", BOTH),
        rule("PARAMETER_BECAME_OPTIONAL", "a parameter has got a default", NOBODY),
        rule("PARAMETER_TYPE_NARROWED", "a parameter takes fewer values", BOTH),
        rule("PARAMETER_TYPE_WIDENED", "a parameter takes more values", NOBODY),
        rule("PARAMETER_TYPE_CHANGED", "a parameter takes other values", BOTH),
        rule("DEFAULT_CHANGED", "what is left out means something else", NOBODY),
        # Results and errors
        rule("RETURN_TYPE_NARROWED", "the result has fewer values", NOBODY),
        rule("RETURN_TYPE_WIDENED", "the result has more values", CALLERS),
        rule("RETURN_TYPE_CHANGED", "the result has other values", CALLERS),
        rule("ERROR_ADDED", "another error is declared", NOBODY),
        rule("ERROR_REMOVED", "an error is not declared any more", CALLERS),
        rule("ERROR_BASE_CHANGED", "an error has another builtin base", CALLERS),
        # Within models
        rule("MODEL_FIELD_ADDED_REQUIRED", "a model has a new field that must be", BOTH, NOBODY),
        rule("MODEL_FIELD_ADDED_OPTIONAL", "a model has a new field that may be", NOBODY),
        rule("MODEL_FIELD_REMOVED", "a field of a model is gone", NOBODY, CALLERS),
        rule("MODEL_FIELD_BECAME_REQUIRED", "a field of a model must be there", BOTH, NOBODY),
        rule("MODEL_FIELD_BECAME_OPTIONAL", "a field of a model may be absent", NOBODY, CALLERS),
        rule("MODEL_FIELD_TYPE_NARROWED", "a field has fewer values", BOTH, NOBODY),
        rule("MODEL_FIELD_TYPE_WIDENED", "a field has more values", NOBODY, CALLERS),
        rule("MODEL_FIELD_TYPE_CHANGED", "a field has other values", BOTH, CALLERS),
        rule("MODEL_CLOSED", "a model refuses fields that it does not know", BOTH, NOBODY),
        rule("MODEL_OPENED", "a model takes fields that it does not know", NOBODY, CALLERS),
        rule("ENUM_VALUE_ADDED", "an enum or Literal has another value", NOBODY, CALLERS),
        rule("ENUM_VALUE_REMOVED", "an enum or Literal has lost a value", BOTH, NOBODY),
    )
}


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two catalogs."""

    rule: str
    queue: str
    #: Empty where it is about the whole service, or about a model of several tasks.
    task: str
    #: What of the task: a parameter, ``return``, or a model's field.
    where: str
    text: str
    effects: Effects

    @property
    def breaking(self) -> bool:
        return bool(self.effects)

    @property
    def label(self) -> str:
        """Whom it breaks, in words."""
        return f"breaks {' and '.join(sorted(self.effects))}" if self.effects else "compatible"
