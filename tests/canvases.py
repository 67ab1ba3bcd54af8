"""Random canvases, and what they mean: evaluated here, without Celery and without us."""

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
    def is_nothing(self) -> bool:
        """A chain of nothing."""
        if self.kind != "chain" or len(self.parts) == 1:
            return self.kind == "chain" and self.parts[0].is_nothing
        return all(part.is_nothing or lone(part).is_empty_group for part in self.parts)

    @property
    def is_empty_group(self) -> bool:
        return self.kind == "group" and not self.parts


def value_of(part: Part, given: Any = NOTHING) -> Any:
    """Return what a canvas means."""
    value = evaluated(part, given)
    if given is not NOTHING or value is NOTHING:
        return value
    while part.kind == "chain" and len(steps := steps_of(part)) == 1:
        (part,) = steps
    if part.kind == "group" and len(value) == 1 and isinstance(value[0], list):
        return value[0]  # Celery gives a group of one group as that group, where it stands alone
    return value


def evaluated(part: Part, given: Any) -> Any:
    """Return the value of a part of a canvas."""
    if part.kind == "task":
        before = () if given is NOTHING or part.immutable else (given,)
        return weight([*before, *part.numbers])
    if part.kind == "chain":
        value = NOTHING
        for step in steps_of(part):
            reached = evaluated(step, given)
            value = value if reached is NOTHING else reached
            given = given if reached is NOTHING else reached
        return value
    if part.kind == "group":
        return list(members_of(part, given))
    header, body = Part("group", parts=part.parts[:-1]), part.parts[-1]
    return evaluated(body, list(members_of(header, given)))


def steps_of(chain: Part) -> list[Part]:
    """Return the steps that Celery leaves of a chain."""
    found: list[Part] = []
    left = [part for part in chain.parts if not part.is_nothing]
    several = len(chain.parts) > 1
    while several and left and lone(left[0]).is_empty_group:
        del left[0]
    if several and left and unrolled(lone(left[0])).kind == "group":
        left = [part for part in left if not part.is_empty_group]
        found = [unrolled(lone(left[0])), *left[1:2]]
        del left[:2]
    if several:
        left = [part for part in left if not lone(part).is_empty_group]
    for number, part in enumerate(left, 1):
        step = unrolled(lone(part))
        if number == len(left) and (found or not several):
            step = unrolled(step)
            if found and step.is_empty_group:
                break
        if not step.is_nothing:
            found.append(step)
    return found


def lone(part: Part) -> Part:
    """Return the only step of a chain that has one."""
    while part.kind == "chain" and len(part.parts) == 1:
        (part,) = part.parts
    return part


def unrolled(part: Part) -> Part:
    """Return the only member of a group that has one."""
    return part.parts[0] if part.kind == "group" and len(part.parts) == 1 else part


def members_of(group: Part, given: Any) -> Any:
    for part in group.parts:
        if part.kind == "group":
            yield from members_of(part, given)
        elif (value := evaluated(part, given)) is not NOTHING:
            yield value


def canvas_of(part: Part, task: Any) -> Any:
    """Return the canvas, of a proxy of ``calc.mix``."""
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
    """Return random canvases; ``stock``: some parts made by celery's own classes."""
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
                parts(1), inner.filter(lambda part: evaluated(part, []) is not NOTHING), whose,
            ).filter(flat),
        )  # fmt: skip

    nothing = [Part("group"), Part("chain")]
    leaves = tasks if stock else st.one_of(tasks, tasks, st.sampled_from(nothing))
    return st.recursive(leaves, deeper, max_leaves=12)
