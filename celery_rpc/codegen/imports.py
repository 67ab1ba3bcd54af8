"""Imports: the names of types in a generated module, and the lines that import them."""

import ast
from collections.abc import Collection, Mapping

from celery_rpc.codegen.names import BUILTINS

#: Name of a type -> the module that has it.
HOMES = {
    **dict.fromkeys(("Iterable", "Mapping", "Sequence", "Set"), "collections.abc"),
    **dict.fromkeys(("date", "datetime", "time", "timedelta"), "datetime"),
    "Decimal": "decimal",
    "UUID": "uuid",
    **dict.fromkeys(("Any", "ClassVar", "Literal", "Never", "overload"), "typing"),
    **dict.fromkeys(("NotRequired", "TypeAlias", "TypedDict", "deprecated"), "typing_extensions"),
    **dict.fromkeys(("dataclass", "field"), "dataclasses"),
    **dict.fromkeys(("BaseModel", "Field"), "pydantic"),
    **dict.fromkeys(("BaseClient", "Reply", "RemoteError"), "celery_rpc"),
    **dict.fromkeys(("Flex", "ImmSig", "Partial", "ServiceBase", "Sig", "TaskBase"), ""),
}
ALGEBRA = "celery_rpc.algebra"


class Imports:
    """Gives types by name, and notes what has to be imported for that.

    Args:
        shadowed: names that a class of the module has for attributes: within it, they would hide
            the types. A type of such a name is imported under another.
        homes: the generated modules that have the generated classes; others are in this one.
    """

    def __init__(
        self, shadowed: Collection[str] = (), homes: Mapping[str, str] | None = None
    ) -> None:
        self._shadowed = shadowed
        self._homes = {**HOMES, **(homes or {})}
        self._used: dict[str, dict[str, str | None]] = {}
        # Thousands of methods have the same types: each is one piece, made and written once.
        self._names: dict[str, ast.Name] = {}
        self._made: dict[tuple[object, ...], ast.expr] = {}

    def beside(self, homes: Mapping[str, str]) -> "Imports":
        """Return the imports of another module."""
        return Imports(self._shadowed, homes)

    def name(self, name: str) -> ast.Name:
        """Return a type: one whose home is known, a builtin, or a class of this module."""
        if name not in self._names:
            self._names[name] = self._imported(name)
        return self._names[name]

    def _imported(self, name: str) -> ast.Name:
        alias = f"_{name}" if name in self._shadowed else None
        if name in self._homes:
            self._used.setdefault(self._homes[name] or ALGEBRA, {})[name] = alias
        elif alias is not None and name in BUILTINS:
            self._used.setdefault("builtins", {})[name] = alias
        return ast.Name(alias or name)

    def export(self, name: str) -> None:
        """Import a class so that it can be imported from here, too."""
        self._used.setdefault(self._homes[name], {})[name] = name

    def of(self, name: str, *arguments: ast.expr) -> ast.expr:
        """Return a type with arguments: ``list[int]``."""
        key: tuple[str | int, ...] = (
            name,
            *map(id, arguments),
        )  # which stay alive in what is made of them
        if key not in self._made:
            inner = arguments[0] if len(arguments) == 1 else ast.Tuple(list(arguments))
            self._made[key] = ast.Subscript(self.name(name), inner)
        return self._made[key]

    def statements(self) -> list[ast.stmt]:
        """Return the import statements, sorted."""
        return [
            ast.ImportFrom(module, [ast.alias(name, names[name]) for name in sorted(names)], 0)
            for module, names in sorted(self._used.items(), key=_order)
        ]


def _order(item: tuple[str, object]) -> tuple[int, str]:
    own = item[0].startswith("celery_rpc")
    foreign = item[0] in ("pydantic", "typing_extensions")
    return (2 if own else 1 if foreign else 0), item[0]
