"""Algebra: the types of tasks and canvases; all that they say is in algebra.pyi, for checkers.

At run time they are names to annotate with. Signatures are made by ``client.<queue>.<task>.s()``.
"""

from typing import Generic, TypeVar

Args = TypeVar("Args")
Out = TypeVar("Out")
In = TypeVar("In", contravariant=True)


class ServiceBase:
    """A service, or a part of it."""


class TaskBase(Generic[Args, Out]):
    """A remote task."""


class Canvas(Generic[Out]):
    """What can be sent as it is."""


class Partial(Generic[In, Out]):
    """What waits for a value."""


class Sig(Canvas[Out]):
    """A task with all of its arguments."""


class Chain(Canvas[Out]):
    """Tasks one after the other, or a chord."""


class Group(Canvas[Out]):
    """Tasks at once."""


class Flex(Sig[Out], Partial[In, Out], Generic[In, Out]):
    """A task that can be called as it is, and can take a value from the one before as well."""


class ImmSig(Flex[object, Out]):
    """A task that ignores the value of the one before."""


class FlexChain(Chain[Out], Partial[In, Out], Generic[In, Out]):
    """A chain that begins with a Flex."""


class PartialGroup(Partial[In, Out]):
    """Tasks at once, each of which takes the value of the one before."""


class FlexGroup(Group[Out], PartialGroup[In, Out], Generic[In, Out]):
    """Tasks at once, each of which may take the value of the one before."""


class ChordHeader(Generic[Out]):
    """A chord whose body is still to come."""
