"""Annotations: JSON Schema -> annotation; total: what cannot be said is Any, with the reason."""

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from celery_rpc.catalog.signature_json import REFERENCE
from celery_rpc.codegen.imports import Imports

#: A value that is passed in may be of any type that will do; one that is given has one type.
Mode = Literal["argument", "result"]

MAX_DEPTH = 32
#: Nodes of one annotation, parts of all those of a signature, texts or numbers of one Literal,
#: and alternatives of one union: a deeper tree than that could not be written.
MAX_NODES = 2_000
MAX_PARTS = 100_000
MAX_LITERALS = 200
MAX_CHOICES = 200

SCALARS = {"integer": "int", "number": "float", "boolean": "bool", "string": "str"}
FORMATS = {
    "date-time": "datetime",
    "date": "date",
    "time": "time",
    "duration": "timedelta",
    "decimal": "Decimal",
    "uuid": "UUID",
    "binary": "bytes",
    "integer": "int",
}

#: Characters of an annotation that came as text.
MAX_TEXT = 500


class Untyped(Exception):
    """A schema that no annotation says, and why."""


@dataclass(slots=True)
class Allowance:
    """How many more parts the annotations of one signature may have."""

    left: int = MAX_PARTS
    #: How many the annotation that is being read may have.
    here: int = 0

    def begin(self) -> None:
        """Begin another annotation."""
        self.here = min(self.left, MAX_NODES)

    def spend(self) -> None:
        """Count a part, before it is read.

        Raises:
            Untyped: that is one too many.
        """
        self.left -= 1
        self.here -= 1
        if self.here < 0:
            raise Untyped("the type is too large")


@dataclass(frozen=True, slots=True)
class Annotator:
    """Reads the schemas of one signature.

    Args:
        allowance: what all that read the same signature have together.
        model: gives the types of a definition by its name, or None where it has no class; then it
            is read in place.
        gap: is told what became Any.
    """

    imports: Imports
    definitions: Mapping[str, Mapping[str, Any]]
    model: Callable[[str, Mode], list[ast.expr] | None]
    gap: Callable[[str], object]
    allowance: Allowance = field(default_factory=Allowance)

    def read(self, schema: Mapping[str, Any], mode: Mode) -> ast.expr:
        """Return the annotation of a schema; whatever it is, nothing is raised."""
        self.allowance.begin()
        try:
            found = self._read(schema, mode, 0, ())
            if sum(1 for _ in ast.walk(found)) > MAX_NODES:
                raise Untyped("the type is too large")
        except Untyped as error:
            self.gap(str(error))
            return self.imports.name("Any")
        except (TypeError, ValueError, AttributeError, LookupError, RecursionError):
            self.gap("the schema makes no sense")
            return self.imports.name("Any")
        return found

    def _read(self, schema: Any, mode: Mode, depth: int, within: tuple[str, ...]) -> ast.expr:
        self.allowance.spend()
        if depth > MAX_DEPTH:
            raise Untyped("the type is nested too deeply")
        if schema is True or not schema:
            return self.imports.name("Any")
        if "$ref" in schema:
            return self._reference(str(schema["$ref"]), mode, depth, within)
        if "const" in schema:
            return self._literal([schema["const"]])
        if "enum" in schema:
            return self._literal(schema["enum"])
        for keyword in ("anyOf", "oneOf", "allOf"):
            if schema.get(keyword):
                if keyword == "allOf" and len(schema[keyword]) > 1:
                    raise Untyped("an intersection of types")
                return self._union(
                    [self._read(e, mode, depth + 1, within) for e in schema[keyword]]
                )
        return self._typed(schema, mode, depth, within)

    def _typed(
        self, schema: Mapping[str, Any], mode: Mode, depth: int, within: tuple[str, ...]
    ) -> ast.expr:
        kind = schema.get("type")
        if kind == "array":
            return self._array(schema, mode, depth + 1, within)
        if kind == "object":
            return self._object(schema, mode, depth + 1, within)
        if kind == "null":
            return ast.Constant(None)
        if kind in SCALARS:
            named = FORMATS.get(str(schema.get("format"))) if kind == "string" else None
            return self.imports.name(named or SCALARS[kind])
        return self.imports.name("Any")

    def _reference(
        self, reference: str, mode: Mode, depth: int, within: tuple[str, ...]
    ) -> ast.expr:
        name = reference.removeprefix(REFERENCE)
        named = self.model(name, mode)
        if named is not None:
            return self._union(named)
        if name in within:
            raise Untyped(f"{name} is part of itself, and no model")
        if name not in self.definitions:
            raise Untyped(f"there is no definition {name[:80]}")
        return self._read(self.definitions[name], mode, depth + 1, (*within, name))

    def _literal(self, values: Sequence[Any]) -> ast.expr:
        if not values or len(values) > MAX_LITERALS:
            raise Untyped("an enumeration without values, or with too many")
        if any(isinstance(value, float) for value in values):
            return self.imports.name("float")
        if not all(value is None or isinstance(value, str | int) for value in values):
            raise Untyped("an enumeration of what is no text and no number")
        constants = {(type(value), value): ast.Constant(value) for value in values}
        return self.imports.of("Literal", *constants.values())

    def _array(
        self, schema: Mapping[str, Any], mode: Mode, depth: int, within: tuple[str, ...]
    ) -> ast.expr:
        if "prefixItems" in schema:
            return self._tuple(schema, mode, depth, within)
        item = self._read(schema.get("items"), mode, depth, within)
        if schema.get("format") == "tuple" and mode == "result":
            return self.imports.of("tuple", item, ast.Constant(...))
        if schema.get("uniqueItems"):
            return self.imports.of("set" if mode == "result" else "Set", item)
        if mode == "result" or ast.unparse(item) in ("str", "_str"):
            # A text is a Sequence[str], too: nobody means that.
            return self.imports.of("list", item)
        return self.imports.of("Sequence", item)

    def _tuple(
        self, schema: Mapping[str, Any], mode: Mode, depth: int, within: tuple[str, ...]
    ) -> ast.expr:
        items = [self._read(each, mode, depth, within) for each in schema["prefixItems"]]
        for number in range(max(0, schema.get("minItems", len(items))), len(items)):
            items[number] = self._union([items[number], ast.Constant(None)])
        if isinstance(schema.get("items"), Mapping):
            rest = self._read(schema["items"], mode, depth, within)
            items.append(ast.Starred(self.imports.of("tuple", rest, ast.Constant(...))))
        return self.imports.of("tuple", *(items or [ast.Tuple([])]))

    def _object(
        self, schema: Mapping[str, Any], mode: Mode, depth: int, within: tuple[str, ...]
    ) -> ast.expr:
        if schema.get("properties"):
            self.gap("an object that has no name")
            value: ast.expr = self.imports.name("Any")
        else:
            value = self._read(schema.get("additionalProperties"), mode, depth, within)
        key = self._read({"type": "string", **schema.get("propertyNames", {})}, mode, depth, within)
        return self.imports.of("dict" if mode == "result" else "Mapping", key, value)

    def _union(self, members: Sequence[ast.expr]) -> ast.expr:
        """Return ``A | B``; Any swallows the others, and None stands last."""
        flat = [part for member in members for part in parts_of(member)]
        by_text = {ast.unparse(part): part for part in flat}
        anything = next((by_text[text] for text in ("Any", "_Any") if text in by_text), None)
        if anything is not None:
            return anything
        if len(by_text) > MAX_CHOICES:
            raise Untyped("a union of too many types")
        none = by_text.pop("None", None)
        return union([*by_text.values(), *([none] if none is not None else [])])

    # ----- what older workers tell

    def read_text(self, text: str) -> ast.expr:
        """Return an annotation that came as text, as far as it is made of builtin types."""
        try:
            if len(text) > MAX_TEXT:
                raise ValueError(text)
            return self._word(ast.parse(text, mode="eval").body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            self.gap(f"annotated as {text[:80]}" if text else "not annotated")
            return self.imports.name("Any")

    def _word(self, node: ast.expr) -> ast.expr:
        anything = self.imports.name("Any")
        match node:
            case ast.Constant(value=None):
                return node
            case ast.Name(id="Any") | ast.Name(id="object"):
                return anything
            case ast.Name(id=("int" | "str" | "float" | "bool" | "bytes") as name):
                return self.imports.name(name)
            case ast.Name(id=("list" | "set" | "frozenset") as name):
                return self.imports.of(name, anything)
            case ast.Name(id="dict"):
                return self.imports.of("dict", anything, anything)
            case ast.Name(id="tuple"):
                return self.imports.of("tuple", anything, ast.Constant(...))
            case ast.BinOp(left=left, op=ast.BitOr(), right=right):
                return self._union([self._word(left), self._word(right)])
            case ast.Subscript(value=ast.Name(id=name), slice=inner):
                return self._words(name, inner)
            case _:
                raise ValueError(ast.dump(node)[:80])

    def _words(self, name: str, inner: ast.expr) -> ast.expr:
        match name, inner:
            case "tuple", ast.Tuple(elts=[first, ast.Constant(value=value)]) if value is ...:
                return self.imports.of("tuple", self._word(first), ast.Constant(...))
            case "tuple", ast.Tuple(elts=[_, *_] as items):
                return self.imports.of("tuple", *map(self._word, items))
            case "dict", ast.Tuple(elts=[key, value]):
                return self.imports.of("dict", self._word(key), self._word(value))
            case (("list" | "set" | "frozenset" | "tuple"), _):
                return self.imports.of(name, self._word(inner))
            case _:
                raise ValueError(name)


def parts_of(annotation: ast.expr) -> list[ast.expr]:
    """Return the members of a union."""
    if isinstance(annotation, ast.BinOp):
        return [*parts_of(annotation.left), *parts_of(annotation.right)]
    return [annotation]


def union(members: Sequence[ast.expr]) -> ast.expr:
    """Return ``A | B | C``."""
    found = members[0]
    for member in members[1:]:
        found = ast.BinOp(found, ast.BitOr(), member)
    return found
