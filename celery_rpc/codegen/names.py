"""Names: what remote names may be called in Python, and which are taken."""

import builtins
import keyword
import re
import sys
from collections.abc import Collection, Iterable

MAX_LENGTH = 255

#: What connect() is typed by, where nothing else is said.
REGISTRY = "celery_rpc_registry"

#: Attributes of a client; a service of such a name is reached with a trailing underscore.
OF_CLIENT = frozenset(
    {
        *("app", "caller", "catalog", "close", "detailed", "discover", "options", "refresh"),
        *("reply", "run", "service", "signature", "status", "task"),
    }
)
#: Attributes of a service.
OF_SERVICE = frozenset({"errors"})
#: Attributes of a task, which may have other tasks below its name.
OF_TASK = frozenset(
    {
        *("address", "aio", "apply_async", "batch", "chunks", "delay", "map", "name", "options"),
        *("queue", "s", "si", "signature", "spec", "starmap", "subtask"),
    }
)

_WORDS = re.compile(r"[A-Za-z0-9]+")

BUILTINS = frozenset(vars(builtins))

#: Modules that a generated one would hide from others, or that no statement can import.
TAKEN = frozenset(
    {"celery", "pydantic", "typing_extensions", *sys.stdlib_module_names, *keyword.kwlist}
)


def is_plain(name: str) -> bool:
    """Return whether a name is an identifier in ASCII: no two of them look the same."""
    return len(name) <= MAX_LENGTH and name.isascii() and name.isidentifier()


def is_free(module: str) -> bool:
    """Return whether a module may be called so: it can be imported, and nothing else is."""
    return is_plain(module) and not module.startswith(("_", "celery_rpc")) and module not in TAKEN


def is_part(module: str) -> bool:
    """Return whether a module is one of those that a large registry is made of."""
    return is_plain(module) and module.startswith(f"{REGISTRY}_")


def attribute_of(name: str, reserved: Collection[str]) -> str | None:
    """Return the attribute by which a name is reached; None: by item alone."""
    if not is_plain(name) or name.startswith("_"):
        return None
    return f"{name}_" if keyword.iskeyword(name) or name in reserved else name


def parameter_of(name: str) -> str | None:
    """Return a parameter's name; None where no method could have it: it is never changed."""
    if not is_plain(name) or keyword.iskeyword(name):
        return None
    # Two underscores at the front are mangled in a class, and ``self`` is there already.
    return None if name.startswith("__") or name == "self" else name


def camel(*parts: str) -> str:
    """Return a class's name made of words: billing.add_all is BillingAddAll."""
    words = (word for part in parts for word in _WORDS.findall(part))
    joined = "".join(word[0].upper() + word[1:] for word in words)[:MAX_LENGTH]
    return joined if joined[:1].isalpha() else f"T{joined}"


class Namer:
    """Gives each class of a module a name of its own."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*taken, *BUILTINS, *keyword.kwlist}

    def take(self, wanted: str) -> str:
        """Return the name, or else the name with a number that makes it another."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}{number}", number + 1
        self._taken.add(name)
        return name
