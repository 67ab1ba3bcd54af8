"""Shape: what a canvas passes over, and which groups stand for their only member; pure.

It is what Celery makes of chains when they are put together (celery/canvas.py, _merge_chain_step)
and when they are sent (prepare_steps).
"""

from collections.abc import Iterator
from itertools import dropwhile
from typing import Any

from celery_rpc.canvas.celery_classes import Chain, Chord, Chunks, Group, to_signature


def tasks_of(signature: Any) -> list[Any]:
    """Return the steps of a chain, or the members of a group."""
    return [to_signature(each) for each in signature.tasks]


def has_no_task(signature: Any) -> bool:
    """Whether it is a chain of nothing, which is passed over wherever it is."""
    if not isinstance(signature, Chain):
        return False
    steps = tasks_of(signature)
    if len(steps) == 1:
        return has_no_task(steps[0])
    return all(has_no_task(each) or has_no_member(lone_step(each)) for each in steps)


def has_no_member(signature: Any) -> bool:
    """Whether it is an empty group, which a chain passes over; its own value is an empty list."""
    return isinstance(signature, Group) and not tasks_of(signature)


def only_member(signature: Any) -> Any:
    """Return the member of a group that has no other, else the signature itself."""
    members = tasks_of(signature) if isinstance(signature, Group) else []
    return members[0] if len(members) == 1 else signature


def lone_step(signature: Any) -> Any:
    """Return the step of a chain that has no other, else the signature itself."""
    while isinstance(signature, Chain) and not signature.options and len(signature.tasks) == 1:
        (signature,) = tasks_of(signature)
    return signature


def steps_of(chain: Any) -> Iterator[Any]:
    """Yield the steps that a chain really has.

    A group of one stands for its member. One that is the only member of another stays a group,
    except at the end of a chain: there it stands for its member, too.
    """
    steps = [each for each in tasks_of(chain) if not has_no_task(each)]
    several = len(chain.tasks) > 1
    begun = False
    if several:
        steps = [*dropwhile(lambda each: has_no_member(lone_step(each)), steps)]
        if steps and isinstance(head := only_member(lone_step(steps[0])), Group):
            steps = [each for each in steps[1:] if not has_no_member(each)]
            yield head
            yield from steps[:1]  # the body of a chord, whatever it is
            steps, begun = steps[1:], True
        steps = [each for each in map(lone_step, steps) if not has_no_member(each)]
    for number, each in enumerate(steps, 1):
        step = only_member(lone_step(each))
        if number == len(steps) and (begun or not several):
            step = only_member(step)
        if not (has_no_task(step) or (begun and number == len(steps) and has_no_member(step))):
            yield step
            begun = True


def gives_members(signature: Any) -> bool:
    """Whether its result is that of several tasks, each of which may fail."""
    if isinstance(signature, Chain):
        steps = list(steps_of(signature))
        return bool(steps) and gives_members(steps[-1])
    if isinstance(signature, Chord):
        return gives_members(to_signature(signature.body))
    return isinstance(signature, Group | Chunks)
