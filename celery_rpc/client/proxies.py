"""Namespace and TaskProxy: the tree that makes remote tasks look like local functions."""

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from celery_rpc.calls import event_loops
from celery_rpc.calls.call import DEFAULTS, CallOptions, Target
from celery_rpc.calls.reply import Reply
from celery_rpc.catalog.address import ADDRESSING, Address
from celery_rpc.catalog.model import Service, TaskSpec
from celery_rpc.catalog.signature import TaskSignature
from celery_rpc.client.lazy_path import Unresolved
from celery_rpc.client.task_paths import find_task, leads, names_below, no_such_task, unescaped
from celery_rpc.errors import ArgumentsError, ConfigurationError
from celery_rpc.validation.declared_errors import ServiceErrors


class Known(Protocol):
    """What a proxy needs to know of the services."""

    def service(self, queue: str, wanted: Callable[[Service], Any] | None = None) -> Service: ...
    def moved(self, target: Target, address: Address) -> Target: ...
    def known(self, queue: str) -> Service | None: ...
    def knows(self, queue: str, wanted: Callable[[Service], Any] | None = None) -> bool: ...
    def describe(self, target: Target) -> TaskSignature | None: ...
    def errors_of(self, queue: str) -> ServiceErrors: ...


class Caller(Protocol):
    """What a proxy needs of its client."""

    @property
    def directory(self) -> Known: ...
    @property
    def app(self) -> Any: ...
    def call(self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any: ...
    async def call_async(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Any: ...
    def send(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Reply[Any]: ...
    def send_many(self, target: Target, arguments: Iterable[Any]) -> list[Reply[Any]]: ...
    def signature(
        self, target: Target, args: Sequence[Any], kwargs: Mapping[str, Any], immutable: bool
    ) -> Any: ...


class Documented:
    """A docstring: the class's own text, and for an instance what ``describe()`` gives.

    It makes ``help(client.billing.add)`` tell of the remote task.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def __get__(self, instance: Any, owner: type[Any]) -> str:
        return self.text if instance is None else str(instance._describe())


class Signed:
    """``__signature__`` of an instance: what ``inspect.signature()`` looks at first."""

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        signature = None if instance is None else instance._signature()
        if signature is None:
            raise AttributeError("__signature__")
        return signature


class TaskProxy:
    __signature__: Any = Signed()
    __doc__: Any = Documented("A remote task: call it, send it, await it, or sign it.")

    def __init__(self, target: Target, caller: Caller) -> None:
        self._target = target
        self._caller = caller
        self.__name__ = self.__qualname__ = target.spec.name

    def _describe(self) -> str:
        signature = self._caller.directory.describe(self._target)
        first = f"Remote task {self.name} on queue {self.queue}."
        if signature is None:
            return first
        return "\n\n".join([first, *told(signature, self.name.rpartition(".")[2])])

    def _signature(self) -> Any:
        signature = self._caller.directory.describe(self._target)
        return None if signature is None else inspected(signature)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the task and wait for its value, like a local function."""
        return self._caller.call(self._target, args, kwargs)

    def aio(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Any]:
        """Return a coroutine that calls the task and awaits its value.

        The arguments are those of now, whatever is done to them before it is awaited.
        """
        from celery_rpc.calls.encoding import owned_arguments

        return self._aio(*owned_arguments(args, kwargs))

    async def _aio(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return await self._caller.call_async(self._target, args, kwargs)

    def delay(self, *args: Any, **kwargs: Any) -> Reply[Any]:
        """Send the call; the Reply has the value later."""
        return self._caller.send(self._target, args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Reply[Any]:
        """Send the call with options (those of Celery's own apply_async)."""
        if args is not None and (isinstance(args, str) or not isinstance(args, Sequence)):
            raise ArgumentsError(
                f"{self.name}: args must be a list or tuple, not {type(args).__name__}"
            )
        if kwargs is not None and not isinstance(kwargs, Mapping):
            raise ArgumentsError(f"{self.name}: kwargs must be a dict, not {type(kwargs).__name__}")
        if "add_to_parent" in options:  # Celery's chord sends what it was given without .s()
            options |= self._target.address.options
            return self._caller.app.send_task(self.name, args, kwargs, **options)  # type: ignore[no-any-return]
        return self._caller.send(self._with(options), args or (), kwargs or {})

    def batch(self, arguments: Iterable[Any]) -> list[Reply[Any]]:
        """Send many calls by one pipelined publish.

        Args:
            arguments: one item a call: a tuple of positional arguments, or a dict of keywords.
        """
        return self._caller.send_many(self._target, arguments)

    def options(self, **options: Any) -> "TaskProxy":
        """Return this task with options for its calls: timeout, priority, headers, ..."""
        queue = options.get("queue")
        if (
            isinstance(queue, str)
            and event_loops.in_loop()
            and not self._caller.directory.knows(queue)
        ):
            return Unresolved(f"{self!r}", lambda: self.options(**options))  # type: ignore[return-value]
        return TaskProxy(self._with(options), self._caller)

    def s(self, *args: Any, **kwargs: Any) -> Any:
        """Return a signature, to be part of a canvas; a parent's result is put before the args."""
        return self._caller.signature(self._target, args, kwargs, immutable=False)

    def si(self, *args: Any, **kwargs: Any) -> Any:
        """Return an immutable signature: a parent's result is not passed on to it."""
        return self._caller.signature(self._target, args, kwargs, immutable=True)

    def signature(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        immutable: bool = False,
        **options: Any,
    ) -> Any:
        """Return a signature with options."""
        return self._caller.signature(
            self._with(options), args or (), kwargs or {}, immutable=immutable
        )

    subtask = signature

    def map(self, items: Iterable[Any]) -> Any:
        """Return a canvas that calls the task with each item, one after the other in one worker."""
        return self.s().map(items)

    def starmap(self, items: Iterable[Any]) -> Any:
        """Return a canvas as of map(), whose items are tuples of arguments."""
        return self.s().starmap(items)

    def chunks(self, items: Iterable[Any], size: int) -> Any:
        """Return a canvas that calls the task with tuples of arguments, so many in each message."""
        return self.s().chunks(items, size)

    def _with(self, options: Mapping[str, Any]) -> Target:
        others = {name: value for name, value in options.items() if name not in ADDRESSING}
        target = replace(self._target, options=self._target.options.merged(**others))
        if all(options.get(name) is None for name in ADDRESSING):
            return target
        address = Address.from_options(dict(options))
        if address is None:
            raise ConfigurationError("exchange= says no queue without routing_key=; or say queue=")
        return self._caller.directory.moved(target, address)

    @property
    def name(self) -> str:
        """The task's full name."""
        return self._target.spec.name

    @property
    def AsyncResult(self) -> Any:  # noqa: N802
        """Celery's name for what gives the reply of a call by its id."""
        return self._caller.app.AsyncResult

    @property
    def queue(self) -> str:
        """The queue that it is called by."""
        return self._target.address.queue

    @property
    def spec(self) -> TaskSpec:
        """All that is known of the task."""
        return self._target.spec

    @property
    def address(self) -> Address:
        """Where its calls go."""
        return self._target.address

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return Namespace(self._caller, self.queue, self._target.spec.name + ".")[
            unescaped(attribute, RESERVED)
        ]

    def __dir__(self) -> Iterable[str]:
        below = names_below(self._caller.directory.service(self.queue), self.name + ".")
        return [*object.__dir__(self), *below]

    def __repr__(self) -> str:
        return f"<TaskProxy {self.name} on {self.queue}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TaskProxy):
            return NotImplemented
        return (self.name, self.queue) == (other.name, other.queue)

    def __hash__(self) -> int:
        return hash((self.name, self.queue))


def inspected(signature: TaskSignature) -> Any:
    """Return a signature as Python's own; pydantic is loaded for that, and not before."""
    from celery_rpc.validation.arguments import to_inspect

    return to_inspect(signature)


def told(signature: TaskSignature, name: str) -> Iterator[str]:
    """Yield the paragraphs that a signature makes in help()."""
    yield f"{name}{inspected(signature)}"
    if signature.deprecated:
        yield f"Deprecated: {signature.deprecated}"
    if signature.doc:
        yield signature.doc
    if signature.errors:
        errors = [f"    {each.name}: {each.doc}".rstrip(": ") for each in signature.errors]
        yield "\n".join(["Errors that it declares:", *errors])
    if signature.version:
        yield f"Version of the service: {signature.version}"
    if signature.gaps:
        yield "\n".join(["Not known:", *(f"    {each}" for each in signature.gaps)])


RESERVED = frozenset(name for name in vars(TaskProxy) if not name.startswith("_"))


class Namespace:
    __doc__: Any = Documented("A service, or a part of it: its attributes are its tasks.")

    def __init__(
        self, caller: Caller, queue: str, prefix: str = "", options: CallOptions = DEFAULTS
    ) -> None:
        self._caller = caller
        self._queue = queue
        self._prefix = prefix
        self._options = options
        #: What attributes led to, for as long as the service is the same.
        self._kept: dict[str, tuple[Service | None, Any]] = {}

    def _describe(self) -> str:
        return f"{self!r} Its tasks: {', '.join(self) or 'none'}."

    @property
    def errors(self) -> ServiceErrors:
        """The errors that the service's tasks declare, as classes to catch."""
        return self._caller.directory.errors_of(self._queue)

    def __getitem__(self, name: str) -> Any:
        """Return the task or namespace of that name; any text is a name here, dots included."""
        if not isinstance(name, str):
            raise TypeError(f"a task's name is text, not {type(name).__name__}")
        full = self._prefix + name
        if event_loops.in_loop() and not self._caller.directory.knows(
            self._queue, partial(leads, path=full)
        ):
            return Unresolved(f"{self!r}[{name!r}]", lambda: self._find(full))
        return self._find(full)

    def _find(self, path: str) -> Any:
        service = self._caller.directory.service(self._queue, partial(leads, path=path))
        spec = find_task(service, path)
        if spec is not None:
            return TaskProxy(Target(spec, service.address, self._options), self._caller)
        if leads(service, path):
            return Namespace(self._caller, self._queue, path + ".", self._options)
        raise no_such_task(service, path)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(
                f"{attribute}: names that start with _ are reached by item, as in "
                f"client[{vars(self).get('_queue')!r}][{attribute!r}]"  # a copy has none at first
            )
        service = self._caller.directory.known(self._queue)
        kept_service, kept = self._kept.get(attribute, (None, None))
        if kept is not None and kept_service is service:
            return kept
        found = self._look_up(attribute)
        if not isinstance(found, Unresolved):
            self._kept[attribute] = (self._caller.directory.known(self._queue), found)
        return found

    def _look_up(self, attribute: str) -> Any:
        escaped = unescaped(attribute, frozenset())
        full = self._prefix + attribute
        if escaped != attribute and not self._caller.directory.knows(
            self._queue, partial(leads, path=full)
        ):
            return self[escaped]
        return self[attribute]

    def __dir__(self) -> Iterable[str]:
        below = names_below(self._caller.directory.service(self._queue), self._prefix)
        return [*object.__dir__(self), *below]

    def __iter__(self) -> Iterator[str]:
        """Return the full names of the tasks below."""
        service = self._caller.directory.service(self._queue)
        own = f"{self._queue}.{self._prefix}"
        return iter([n for n in service.public if n.startswith((self._prefix, own))])

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        path = ".".join(part for part in (self._queue, self._prefix.rstrip(".")) if part)
        return f"<Namespace {path}>"


def queue_of(namespace: Namespace) -> str:
    """Return the queue of a namespace, whose own attributes are tasks."""
    return str(vars(namespace)["_queue"])
