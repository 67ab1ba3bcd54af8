"""Random canvases, and what they mean: evaluated here, without Celery and without us."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import celery
from hypothesis import strategies as st

import celery_rpc
from tests.workers.calc import weight

#: The value of what is passed over.
NOTHING = object()


@dataclass(frozen=True)
class Part:
    """A task that mixes numbers, or a canvas of such."""

    kind: str
    numbers: tuple[int, ...] = ()
    parts: tuple["Part", ...] = ()
    immutable: bool = False
    #: Made by celery's own class in place of ours.
    stock: bool = False

    @property
    def empty(self) -> bool:
        return self.kind in ("chain", "group") and all(part.empty for part in self.parts)


def value_of(part: Part, given: Any = NOTHING) -> Any:
    """Give what a canvas means."""
    if part.kind == "task":
        before = () if given is NOTHING or part.immutable else (given,)
        return weight([*before, *part.numbers])
    if part.kind == "chain":
        return value_of_chain(part.parts, given)
    if part.kind == "group":
        members = list(members_of(part, given))
        return members if members or given is NOTHING else NOTHING
    header, body = Part("group", parts=part.parts[:-1]), part.parts[-1]
    return value_of(body, list(members_of(header, given)))


def value_of_chain(parts: Sequence[Part], given: Any) -> Any:
    value = NOTHING
    for step in [part for part in parts if not part.empty] or parts[:1]:
        while step.kind == "group" and len(step.parts) == 1:
            (step,) = step.parts
        reached = value_of(step, given)
        if reached is not NOTHING:
            value = given = reached
    return value


def members_of(group: Part, given: Any) -> Any:
    for part in group.parts:
        if part.kind == "group":
            yield from members_of(part, given)
        elif not part.empty:
            yield value_of(part, given)


def canvas_of(part: Part, task: Any) -> Any:
    """Give the canvas, of a proxy of ``calc.mix``."""
    if part.kind == "task":
        return task.si(*part.numbers) if part.immutable else task.s(*part.numbers)
    made = [canvas_of(each, task) for each in part.parts]
    module: Any = celery if part.stock else celery_rpc
    if part.kind == "chain":
        return module.chain(*made)
    if part.kind == "group":
        return module.group(made)
    return module.chord(made[:-1], made[-1])


tasks = st.builds(
    lambda numbers, immutable: Part("task", tuple(numbers), immutable=immutable),
    st.lists(st.integers(0, 9), min_size=1, max_size=2),
    st.booleans(),
)


def canvases(*, stock: bool = False) -> st.SearchStrategy[Part]:
    """Give random canvases; ``stock``: some parts made by celery's own classes."""
    whose = st.booleans() if stock else st.just(False)

    def deeper(inner: st.SearchStrategy[Part]) -> st.SearchStrategy[Part]:
        def parts(least: int) -> st.SearchStrategy[tuple[Part, ...]]:
            return st.lists(inner, min_size=least, max_size=4).map(tuple)

        # Celery turns round the order of a group that is directly in a group (_freeze_unroll).
        def flat(part: Part) -> bool:
            members = part.parts[:-1] if part.kind == "chord" else part.parts
            return not (part.stock and any(each.kind == "group" for each in members))

        return st.one_of(
            st.builds(lambda p, s: Part("chain", parts=p, stock=s), parts(1), whose),
            # What celery.chain makes of a group of one depends on its place.
            st.builds(lambda p, s: Part("group", parts=p, stock=s), parts(2 if stock else 1), whose)
            .filter(flat),
            st.builds(
                lambda header, body, s: Part("chord", parts=(*header, body), stock=s),
                parts(1), inner.filter(lambda part: not part.empty), whose,
            ).filter(flat),
        )  # fmt: skip

    return st.recursive(tasks, deeper, max_leaves=12)
