"""Codec: JSON Schema -> what checks values by it, and reads results into the declared types."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from pydantic import TypeAdapter
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    SchemaError,
    SchemaValidator,
    ValidationError,
    core_schema,
)

from celery_rpc.catalog.schema_aliases import followed, name_in
from celery_rpc.catalog.signature import Schema
from celery_rpc.validation.effort import MAX_PATTERNS, Names, Patience, Steps, TooManySteps, spent

#: Keywords that only describe.
WORDS = frozenset({"title", "description", "default", "deprecated"})

#: JSON type -> the classes of values that need no closer look.
EXACT: dict[str, frozenset[type]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({float, int}),
    "boolean": frozenset({bool}),
    "null": frozenset({type(None)}),
}
SCALARS = frozenset().union(*EXACT.values())

#: Keyword -> the argument of pydantic's that means the same.
NUMBER_LIMITS = {
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "multipleOf": "multiple_of",
}
TEXT_LIMITS = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}
ITEM_LIMITS = {"minItems": "min_length", "maxItems": "max_length"}
PROPERTY_LIMITS = {"minProperties": "min_length", "maxProperties": "max_length"}

#: Format -> what reads it, and the classes of values that stand for it, text included.
FORMATS: dict[str, tuple[Callable[..., CoreSchema], tuple[type, ...]]] = {
    "date-time": (core_schema.datetime_schema, (datetime, str)),
    "date": (core_schema.date_schema, (date, str)),
    "time": (core_schema.time_schema, (time, str)),
    "duration": (core_schema.timedelta_schema, (timedelta, str)),
    "decimal": (core_schema.decimal_schema, (Decimal, str, int, float)),
    "uuid": (core_schema.uuid_schema, (UUID, str)),
    "binary": (core_schema.bytes_schema, (bytes, str)),
    "integer": (core_schema.int_schema, (int, str)),
}


def exact_types(schema: Schema) -> frozenset[type]:
    """Return the classes whose values fit without a closer look; none where each needs one."""
    relevant = schema.keys() - WORDS
    if not relevant:
        return SCALARS
    if relevant == {"type"}:
        return EXACT.get(schema["type"], frozenset())
    if relevant == {"anyOf"}:
        return frozenset().union(*(exact_types(each) for each in schema["anyOf"]))
    return frozenset()


class Checker:
    """Checks values by a schema; made when it is first needed.

    Args:
        models: classes by the names of their definitions, of which instances are made; for
            results.
        patterns: how many more patterns may be compiled; those beyond are not checked.
    """

    def __init__(
        self,
        schema: Schema,
        definitions: Mapping[str, Schema],
        models: Mapping[str, type] | None = None,
        patterns: Patience | None = None,
    ) -> None:
        self._schema = schema
        self._definitions = definitions
        self._models = models
        self._patterns = patterns or Patience(MAX_PATTERNS)
        self._validator: SchemaValidator | None = None

    def check(self, value: Any) -> Any:
        """Return the value as the declared type.

        Raises:
            Misfit: it does not fit; says where and why.
        """
        if self._validator is None:
            self._validator = self._made()
        try:
            return self._validator.validate_python(value, context=Steps(value))
        except (ValidationError, RecursionError, TooManySteps) as error:
            raise Misfit(error) from error

    def _made(self) -> SchemaValidator:
        try:
            reader = Reader(self._definitions, self._models, self._patterns)
            return SchemaValidator(reader.whole(self._schema))
        except (SchemaError, TypeError, ValueError, LookupError, OverflowError, RecursionError):
            # A schema that makes no sense, such as an enum without values, checks nothing.
            return SchemaValidator(core_schema.any_schema())


class Misfit(ValueError):
    """A value that does not fit its schema."""

    def __init__(self, error: ValidationError | RecursionError | TooManySteps) -> None:
        found: Any = error.errors()[0] if isinstance(error, ValidationError) else {}
        #: Where in the value, as in ``.lines[0].sku``.
        self.path = "".join(_step(part) for part in found.get("loc", ()))
        slow = "its type has too many alternatives to be checked (validate=False leaves that out)"
        usual = slow if isinstance(error, TooManySteps) else "it is nested too deeply"
        reason = str(found.get("msg", usual))
        super().__init__(reason + (f", not {_short(found['input'])}" if "input" in found else ""))


def _step(part: Any) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    # pydantic names the alternatives of a union here, too; they are no part of the path.
    return f".{part}" if str(part).isidentifier() else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class Reader:
    """Reads schemas into pydantic's own form.

    Scalars are strict ("1" is no int, True is no int), containers are not (a tuple is a list), and
    what JSON has no type for may be the object itself or its text.
    """

    def __init__(
        self,
        definitions: Mapping[str, Schema],
        models: Mapping[str, type] | None,
        patterns: Patience,
    ) -> None:
        self.definitions = definitions
        self.models = models or {}
        self.patterns = patterns
        self.is_result = models is not None
        self._used: dict[str, CoreSchema | None] = {}

    def whole(self, schema: Schema) -> CoreSchema:
        """Read a schema with the definitions that it refers to."""
        read = self.read(schema)
        while missing := [name for name, found in self._used.items() if found is None]:
            for name in missing:
                found = self.read(followed(self.definitions.get(name, {}), self.definitions))
                if found["type"] == "definition-ref":  # pydantic would follow a circle for ever
                    found = core_schema.any_schema()
                self._used[name] = cast("CoreSchema", {**found, "ref": name})
        if not self._used:
            return read
        definitions = [found for found in self._used.values() if found is not None]
        Names().check([*definitions, read])
        return core_schema.definitions_schema(read, definitions)

    def read(self, schema: Schema) -> CoreSchema:
        """Read one schema."""
        if (name := name_in(schema)) is not None:
            return self._reference(name)
        if "const" in schema:
            return core_schema.literal_schema([schema["const"]])
        if "enum" in schema:
            return core_schema.literal_schema(schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._union(schema[keyword])
        if len(schema.get("allOf", ())) == 1:
            return self.read(schema["allOf"][0])
        readers = {"string": self._text, "array": self._array, "object": self._object}
        return readers.get(schema.get("type", ""), self._scalar)(schema)

    def _union(self, choices: Sequence[Schema]) -> CoreSchema:
        if len(choices) == 1:
            return self.read(choices[0])
        # Labelled: pydantic would call a union by the names of all that it is made of.
        found = core_schema.union_schema([(self.read(each), "|") for each in choices])
        if sum(each.get("type") not in EXACT for each in choices) < 2:
            return found  # one alternative leads on, at most
        return core_schema.with_info_before_validator_function(spent, found)

    def _reference(self, name: str) -> CoreSchema:
        model = self.models.get(name)
        if model is not None:
            return core_schema.no_info_plain_validator_function(TypeAdapter(model).validate_python)
        self._used.setdefault(name, None)
        return core_schema.definition_reference_schema(name)

    def _scalar(self, schema: Schema) -> CoreSchema:
        limits = limits_of(schema, NUMBER_LIMITS)
        match schema.get("type"):
            case "integer":
                return core_schema.int_schema(strict=True, **limits)
            case "number":
                return core_schema.float_schema(strict=True, **limits)
            case "boolean":
                return core_schema.bool_schema(strict=True)
            case "null":
                return core_schema.none_schema()
            case _:
                return core_schema.any_schema()

    def _text(self, schema: Schema) -> CoreSchema:
        found = FORMATS.get(schema.get("format", ""))
        if found is None:
            limits = limits_of(schema, TEXT_LIMITS)
            if "pattern" in limits and not self.patterns.spend():
                del limits["pattern"]
            return text_schema(limits)
        make, classes = found
        limits = NUMBER_LIMITS if make is core_schema.decimal_schema else {}
        return core_schema.no_info_before_validator_function(
            only(classes), make(**limits_of(schema, limits))
        )

    def _array(self, schema: Schema) -> CoreSchema:
        limits = limits_of(schema, ITEM_LIMITS)
        if "prefixItems" in schema:
            return self._tuple(schema)
        items = self.read(schema.get("items") or {})
        if schema.get("format") == "tuple":
            return core_schema.tuple_schema([items], variadic_item_index=0, **limits)
        if schema.get("uniqueItems") and self.is_result:
            return core_schema.set_schema(items, **limits)
        return core_schema.list_schema(items, **limits)

    def _tuple(self, schema: Schema) -> CoreSchema:
        items = [self.read(each) for each in schema["prefixItems"]]
        least = schema.get("minItems", len(items))
        for number in range(max(0, least), len(items)):
            items[number] = core_schema.with_default_schema(items[number], default=None)
        if schema.get("items") or (schema.get("maxItems") is None):
            items.append(self.read(schema.get("items") or {}))
            return core_schema.tuple_schema(items, variadic_item_index=len(items) - 1)
        return core_schema.tuple_schema(items)

    def _object(self, schema: Schema) -> CoreSchema:
        if "properties" in schema:
            return self._typed_dict(schema)
        values = schema.get("additionalProperties")
        return core_schema.dict_schema(
            self.read(schema["propertyNames"] | {"type": "string"})
            if "propertyNames" in schema
            else core_schema.str_schema(strict=True),
            self.read(values) if isinstance(values, Mapping) else core_schema.any_schema(),
            **limits_of(schema, PROPERTY_LIMITS),
        )

    def _typed_dict(self, schema: Schema) -> CoreSchema:
        required = set(schema.get("required", ()))
        closed = schema.get("additionalProperties") is False
        return core_schema.typed_dict_schema(
            {
                name: core_schema.typed_dict_field(self.read(each), required=name in required)
                for name, each in schema["properties"].items()
            },
            extra_behavior="forbid" if closed and not self.is_result else "allow",
        )


def limits_of(schema: Schema, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a schema's limits as pydantic calls them."""
    return {ours: schema[keyword] for keyword, ours in names.items() if keyword in schema}


def text_schema(limits: dict[str, Any]) -> CoreSchema:
    """Return the schema of a text; a pattern that is no regular expression here is left out."""
    schema = core_schema.str_schema(strict=True, **limits)
    if "pattern" in limits:
        try:
            SchemaValidator(schema)
        except Exception:  # written for another engine: with a look-around, for one
            return text_schema({k: v for k, v in limits.items() if k != "pattern"})
    return schema


def only(classes: Sequence[type]) -> Callable[[Any], Any]:
    """Return a check that a value is of one of these classes, of which bool is none."""
    kinds = tuple(classes)
    names = " or ".join("text" if kind is str else kind.__name__ for kind in kinds)

    def check(value: Any) -> Any:
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise PydanticCustomError("kind", "Input should be {names}", {"names": names})
        return value

    return check
