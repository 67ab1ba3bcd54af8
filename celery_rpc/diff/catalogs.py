"""Diff: two catalogs -> what differs, and whom it breaks; pure."""

from collections.abc import Callable, Iterable, Iterator

from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.diff.parameters import parameter_differences
from celery_rpc.diff.rules import NOBODY, RULES, Change, Effects
from celery_rpc.diff.subtype import Type
from celery_rpc.diff.types import Difference, Spot, Walk, to_difference

#: Tasks that a change of their model names, at most.
NAMED = 10


def diff(old: Catalog, new: Catalog) -> list[Change]:
    """Return what differs between two catalogs, by queue and task.

    Workers, docstrings and versions are no part of what is compared.
    """
    return list(_catalogs(old, new))


def _catalogs(old: Catalog, new: Catalog) -> Iterator[Change]:
    for queue in sorted({*old, *new}):
        before, after = old.services.get(queue), new.services.get(queue)
        if before is not None and after is not None:
            yield from _services(before, after, old, new)
        elif after is not None:
            yield change("SERVICE_ADDED", queue, text=f"with {', '.join(after.public)}")
        elif before is not None:
            yield change("SERVICE_REMOVED", queue, text=f"it had {', '.join(before.public)}")
            yield from _moved(before, old, new)


def change(
    rule: str,
    queue: str,
    task: str = "",
    where: str = "",
    text: str = "",
    effects: Effects | None = None,
) -> Change:
    """Return a change, with the effects of its rule unless it is told others."""
    return Change(rule, queue, task, where, text, RULES[rule].taken if effects is None else effects)


def _services(old: Service, new: Service, before: Catalog, after: Catalog) -> Iterator[Change]:
    queue = new.queue
    yield from _queue(old, new)
    yield from _moved(old, before, after)
    kept = sorted(old.public.keys() & new.public.keys())
    yield from _tasks(queue, ((old.public[name], new.public[name]) for name in kept))
    for name in sorted(old.public.keys() ^ new.public.keys()):
        one, other = old.public.get(name), new.public.get(name)
        if one is not None and not homes(after, name, but=before):
            yield change("TASK_REMOVED", queue, name, text="it is gone")
        elif other is not None and not homes(before, name, but=after):
            yield change("TASK_ADDED", queue, name, text="it is new")


def _queue(old: Service, new: Service) -> Iterator[Change]:
    """Compare how a queue is made."""
    if (old.arguments or {}) != (new.arguments or {}):
        text = f"{dict(old.arguments or {})} -> {dict(new.arguments or {})}"
        yield change("QUEUE_ARGUMENTS_CHANGED", new.queue, text=text)
    was, now = binding(old), binding(new)
    if was != now:
        yield change("QUEUE_BINDING_CHANGED", new.queue, text=f"{was} -> {now}")


def binding(service: Service) -> str:
    """Return how a queue is bound."""
    address = service.address
    exchange = f"{service.exchange_type} exchange {address.exchange or '(default)'}"
    return f"{exchange} by {address.routing_key or service.queue!r}"


def _moved(old: Service, before: Catalog, after: Catalog) -> Iterator[Change]:
    """Find tasks of a queue that are on other queues now, and compare them all the same."""
    for name, spec in sorted(old.public.items()):
        there = homes(after, name, but=before)
        if not there or name in public_of(after, old.queue):
            continue
        text = f"{old.queue} -> {', '.join(there)}"
        yield change("QUEUE_CHANGED", old.queue, name, text=text)
        yield from _tasks(old.queue, [(spec, after[there[0]].public[name])])


def public_of(catalog: Catalog, queue: str) -> set[str]:
    service = catalog.services.get(queue)
    return set(service.public) if service else set()


def homes(catalog: Catalog, task: str, but: Catalog) -> list[str]:
    """Return the queues of a catalog that have a task which they had not in another."""
    return [
        queue
        for queue in sorted(catalog)
        if task in public_of(catalog, queue) and task not in public_of(but, queue)
    ]


# ----- tasks


def _tasks(queue: str, pairs: Iterable[tuple[TaskSpec, TaskSpec]]) -> Iterator[Change]:
    """Compare the tasks of a queue; what differs in a model is told once for all that use it."""
    users: dict[tuple[str, Difference], list[str]] = {}
    for old, new in pairs:
        for each in dict.fromkeys(task_differences(old, new)):
            users.setdefault(("" if each.model else old.name, each), []).append(old.name)
    for (_, each), names in users.items():
        task, text = names[0], each.text
        if len(names) > 1:
            task, text = "", f"{text} (for {listed(names)})"
        yield Change(each.rule, queue, task, each.where, text, each.effects)


def listed(names: list[str]) -> str:
    """Name some, and say how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def task_differences(old: TaskSpec, new: TaskSpec) -> Iterator[Difference]:
    """Yield what differs between two versions of a task."""
    if old.replies and new.replies and old.replies != new.replies:
        effects = NOBODY if new.answers else None  # who listens to the old backend still can
        yield _task("BACKEND_CHANGED", f"{old.replies} -> {new.replies}", effects)
    if old.silent != new.silent:
        effects = None if new.silent else NOBODY
        text = "it gives no result now" if new.silent else "it gives a result now"
        yield _task("IGNORE_RESULT_CHANGED", text, effects)
    if old.signature is None or new.signature is None:
        if old.signature is not new.signature:
            side = "the old one" if old.signature is None else "the new one"
            yield _task("SIGNATURE_UNKNOWN", f"{side} is not told: nothing more is compared")
    elif not (old.signature.exact and new.signature.exact):
        if old.signature != new.signature:
            yield _task("SIGNATURE_UNKNOWN", "one is only guessed: nothing more is compared")
    else:
        yield from signature_differences(old.signature, new.signature)


def _task(rule: str, text: str, effects: Effects | None = None) -> Difference:
    return to_difference(rule, Spot("", "", "taken"), text, effects)


def signature_differences(old: TaskSignature, new: TaskSignature) -> Iterator[Difference]:
    """Yield what differs between two signatures."""
    if new.deprecated and not old.deprecated:
        yield _task("DEPRECATED", new.deprecated)
    walk = Walk()
    for differences in PARTS:
        yield from differences(old, new, walk)


def _result(old: TaskSignature, new: TaskSignature, walk: Walk) -> Iterator[Difference]:
    spot = Spot("return", "RETURN_TYPE", "given")
    was, now = old.return_annotation, new.return_annotation
    if was and not now:
        yield to_difference("RETURN_TYPE_WIDENED", spot, f"{was} -> no annotation")
    elif now and not was:
        yield to_difference("RETURN_TYPE_NARROWED", spot, f"no annotation -> {now}")
    else:
        before, after = Type(old.returns, old.definitions), Type(new.returns, new.definitions)
        yield from walk.differences(before, after, spot)


def _errors(old: TaskSignature, new: TaskSignature, walk: Walk) -> Iterator[Difference]:
    before = {each.name: each for each in old.errors}
    after = {each.name: each for each in new.errors}
    for name in sorted({*before, *after}):
        spot = Spot(name, "", "given")
        if name not in after:
            yield to_difference("ERROR_REMOVED", spot, "it is not declared any more")
        elif name not in before:
            yield to_difference("ERROR_ADDED", spot, f"it is declared now, as a {after[name].base}")
        elif before[name].base != after[name].base:
            text = f"{before[name].base} -> {after[name].base}"
            yield to_difference("ERROR_BASE_CHANGED", spot, text)


PARTS: tuple[Callable[[TaskSignature, TaskSignature, Walk], Iterator[Difference]], ...] = (
    parameter_differences,
    _result,
    _errors,
)
