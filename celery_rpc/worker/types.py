"""TypeBook: annotations -> JSON Schema, by pydantic, with what JSON Schema would lose."""

import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typing_extensions
from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from celery_rpc.catalog.signature import Schema
from celery_rpc.catalog.signature_json import REFERENCE, to_schema

Mode = Literal["validation", "serialization"]

#: pydantic takes typing.TypedDict from Python 3.12 on; before, only that of typing_extensions.
TRANSLATED = sys.version_info < (3, 12)


class LosslessSchema(GenerateJsonSchema):
    """JSON Schema that says which text is a number, and which list is a tuple."""

    #: What could not be described; each TypeBook has its own.
    gaps: list[str]

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        described: dict[str, Any] = {"type": "string", "format": "decimal"}
        self.update_with_validations(
            described, typing.cast(Any, schema), self.ValidationsMapping.numeric
        )
        return {name: to_number(value) for name, value in described.items()}

    def tuple_schema(self, schema: core_schema.TupleSchema) -> dict[str, Any]:
        described = super().tuple_schema(schema)
        return described if "prefixItems" in described else {**described, "format": "tuple"}

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        described = super().dict_schema(schema)
        if schema.get("keys_schema", {}).get("type") == "int":
            described["propertyNames"] = {"type": "string", "format": "integer"}
        return described

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> dict[str, Any]:
        self.gaps.append(f"{name_of(schema['cls'])} has no JSON Schema")
        return {}

    def callable_schema(self, schema: core_schema.CallableSchema) -> dict[str, Any]:
        self.gaps.append("a callable has no JSON Schema")
        return {}

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave out titles that only say a field's name again."""
        return False

    def emit_warning(self, kind: Any, detail: str) -> None:
        """Stay silent: a default that is no JSON is left out, and that is all."""


def to_number(value: Any) -> Any:
    """Return a limit as JSON has it."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def name_of(cls: Any) -> str:
    """Return a class's name."""
    return str(getattr(cls, "__qualname__", cls))


@dataclass(slots=True)
class TypeBook:
    """Describes the types of one task, whose definitions are shared."""

    gaps: list[str] = field(default_factory=list[str])
    definitions: dict[str, Schema] = field(default_factory=dict[str, Schema])
    _types: dict[str, tuple[Mode, TypeAdapter[Any]]] = field(
        default_factory=dict[str, tuple[Mode, TypeAdapter[Any]]]
    )

    def add(self, name: str, annotation: Any, mode: Mode) -> None:
        """Read the annotation of a parameter, or of the result."""
        try:
            adapter = adapter_of(translated(annotation) if TRANSLATED else annotation)
            self._generate({name: (mode, adapter)})
        except Exception as error:  # whatever the annotation does, the others are described
            self.gaps.append(f"{name}: {first_line(error)}")
        else:
            self._types[name] = mode, adapter

    def schemas(self) -> dict[str, Schema]:
        """Return what was described, by name, and fill in the definitions."""
        schemas, definitions, gaps = self._generate(self._types)
        self.gaps += gaps
        self.definitions.update(definitions)
        return schemas

    def _generate(
        self, adapters: Mapping[str, tuple[Mode, TypeAdapter[Any]]]
    ) -> tuple[dict[str, Schema], dict[str, Schema], list[str]]:
        gaps: list[str] = []
        generator = type("Generator", (LosslessSchema,), {"gaps": gaps})
        described, shared = TypeAdapter.json_schemas(
            [(name, mode, adapter) for name, (mode, adapter) in adapters.items()],
            schema_generator=generator,
        )
        definitions = shared.get("$defs", {})
        names = reunited(definitions)
        return (
            {name: to_schema(renamed(each, names)) for (name, _), each in described.items()},
            {
                names.get(str(name), str(name)): to_schema(renamed(each, names))
                for name, each in definitions.items()
            },
            list(dict.fromkeys(gaps)),
        )


def reunited(definitions: Mapping[str, Any]) -> dict[str, str]:
    """Return one name to models that pydantic took apart only because they refer to themselves.

    It writes ``Node-Input`` and ``Node-Output`` where arguments and results are described
    differently; each then refers to itself, so that they differ in that at least.
    """
    pairs = {
        base
        for name in definitions
        if (base := name.removesuffix("-Input")) not in definitions
        and f"{base}-Output" in definitions
    }
    while True:
        names = {f"{base}-{way}": base for base in pairs for way in ("Input", "Output")}
        apart = {
            base
            for base in pairs
            if renamed(definitions[f"{base}-Input"], names)
            != renamed(definitions[f"{base}-Output"], names)
        }
        if not apart:
            return names
        pairs -= apart


def renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """Return a schema whose references go by other names."""
    if isinstance(schema, list):
        return [renamed(each, names) for each in schema]
    if isinstance(schema, Mapping):
        return {key: renamed(each, names) for key, each in schema.items()}
    if isinstance(schema, str) and schema.startswith(REFERENCE):
        name = schema.removeprefix(REFERENCE)
        return f"{REFERENCE}{names.get(name, name)}"
    return schema


def adapter_of(annotation: Any) -> TypeAdapter[Any]:
    """Return the adapter of a type; what pydantic does not know is checked by its class."""
    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(annotation)


def first_line(error: Exception) -> str:
    """Return what happened on one line."""
    text = next(iter(str(error).splitlines()), "")
    return text.rstrip(".") if text else type(error).__name__


# ----- typing.TypedDict before Python 3.12


def translated(annotation: Any, within: tuple[Any, ...] = ()) -> Any:
    """Return a type in which each TypedDict is one that pydantic takes."""
    if typing_extensions.is_typeddict(annotation):
        return _translated_typed_dict(annotation, within)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(translated(arguments[0], within), *arguments[1:])]
    if not arguments or origin is Literal:
        return annotation
    new = tuple(each if isinstance(each, list) else translated(each, within) for each in arguments)
    if all(one is other for one, other in zip(new, arguments, strict=True)):
        return annotation
    return Union[new] if origin is types.UnionType else origin[new]  # noqa: UP007


def _translated_typed_dict(annotation: Any, within: tuple[Any, ...]) -> Any:
    if type(annotation).__module__ != "typing":
        return annotation
    if annotation in within:
        raise TypeError(
            f"{annotation.__name__} refers to itself: before Python 3.12 that takes "
            "typing_extensions.TypedDict"
        )
    hints = typing.get_type_hints(annotation, include_extras=True)
    fields: dict[str, Any] = {}
    for name, hint in hints.items():
        if get_origin(hint) in (typing.Required, typing.NotRequired):
            hint = get_args(hint)[0]
        wrapper: Any = (
            typing_extensions.Required
            if name in annotation.__required_keys__
            else typing_extensions.NotRequired
        )
        fields[name] = wrapper[translated(hint, (*within, annotation))]
    make: Any = typing_extensions.TypedDict
    made = make(annotation.__name__, fields)
    made.__doc__, made.__module__ = annotation.__doc__, annotation.__module__
    return made


def localized(annotation: Any, names: Mapping[str, Any]) -> Any:
    """Resolve what is written as text in an annotation, in the service's own process.

    Raises:
        NameError: a name is not there at run time, as with imports for type checkers alone.
    """
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    return typing.get_type_hints(holder, dict(names), include_extras=True)["it"]
