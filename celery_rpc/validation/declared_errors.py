"""DeclaredErrors: what services say that their tasks raise, as classes that can be caught."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from celery_rpc.catalog.signature import DeclaredError
from celery_rpc.errors import RemoteError, declared_error_class, remote_error_class
from celery_rpc.support.near import did_you_mean, near

#: Gives the declaration of an error by its dotted name, if there is one.
Find = Callable[[str], DeclaredError | None]


class KnownErrors:
    """Finds the class for an error's dotted name: one that was registered, or a declared one.

    Nothing is looked up among imported modules.
    """

    def __init__(self, classes: Sequence[type[Exception]], find: Find) -> None:
        self._classes = by_name(classes)
        self._find = find

    def get(self, name: str) -> type[Exception] | None:
        """Return the class of that name, or None."""
        declared = None if name in self._classes else self._find(name)
        if declared is None:
            return self._classes.get(name)
        return self._classes.get(declared.name) or class_of(declared)

    def caught_as(self, error: DeclaredError) -> type[RemoteError]:
        """Return the class that a declared error is raised as."""
        return remote_error_class(self.get(dotted(error)) or class_of(error))


class ServiceErrors:
    """The errors that a service's tasks declare; its attributes are their classes."""

    def __init__(self, queue: str, errors: Iterable[DeclaredError], known: KnownErrors) -> None:
        self._queue = queue
        self._classes: Mapping[str, type[RemoteError]] = {
            each.name.rpartition(".")[2]: known.caught_as(each) for each in errors
        }

    def __getattr__(self, name: str) -> type[RemoteError]:
        found = None if name.startswith("__") else self._classes.get(name)
        if found is None:
            hint = did_you_mean(near(name, self._classes))
            raise AttributeError(f"no task of {self._queue!r} declares an error {name!r}{hint}")
        return found

    def __dir__(self) -> list[str]:
        return sorted(self._classes)

    def __repr__(self) -> str:
        return f"<ServiceErrors {self._queue}: {', '.join(sorted(self._classes)) or 'none'}>"


def class_of(error: DeclaredError) -> type[RemoteError]:
    """Return the class of a declared error."""
    return declared_error_class(error.module, error.name, error.base, error.doc)


def dotted(error: DeclaredError) -> str:
    """Return the name by which replies call an error."""
    return f"{error.module}.{error.name}" if error.module not in ("", "builtins") else error.name


def by_name(classes: Sequence[type[Exception]]) -> dict[str, type[Exception]]:
    """Return classes by the names that replies may have for them, with the module or without.

    What Celery wraps because it cannot be pickled goes by the last part of its qualified name.
    """
    named: dict[str, type[Exception]] = {}
    for cls in classes:
        for name in (cls.__name__, f"{cls.__module__}.{cls.__name__}"):
            named.setdefault(name, cls)
    for cls in classes:
        named |= dict.fromkeys((cls.__qualname__, f"{cls.__module__}.{cls.__qualname__}"), cls)
    return named
