"""Schema: TaskSignature <-> canonical JSON, read strictly, and the digest that stands for it."""

import builtins
import inspect
import json
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from hashlib import sha256
from math import isfinite
from reprlib import repr as shortened
from typing import Any

from celery_rpc.catalog.signature import DeclaredError, Parameter, Schema, TaskSignature

#: A signature's JSON may have so many characters, and a schema so many levels.
MAX_SIZE = 256 * 1024
MAX_DEPTH = 32

#: How many parameters and definitions a signature may have: each is compared with the others.
MAX_PARAMETERS = 255
MAX_DEFINITIONS = 1_000

#: What a count or a length in a schema may be at most.
MAX_COUNT = 2**53

#: Hexadecimal digits of a digest.
DIGEST_LENGTH = 16

DEFINITION_NAME = re.compile(r"[A-Za-z0-9._-]{1,255}")
REFERENCE = "#/$defs/"

#: What a terminal would obey, and what would turn a line around; tabs and line ends are text.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


class BadSignature(ValueError):
    """Text that is no signature, or a signature that no function could have."""


# ----- writing


def to_json(signature: TaskSignature) -> str:
    """Write a signature as JSON: the same signature gives the same text."""
    fields = ordered(sparse(asdict(signature)))
    return json.dumps(fields, separators=(",", ":"), allow_nan=False)


def ordered(value: Any, *, keep: bool = False) -> Any:
    """Sort the keys of objects, but for ``properties``: the order of a model's fields tells."""
    if isinstance(value, Mapping):
        names = list(value) if keep else sorted(value)
        return {
            name: ordered(value[name], keep=name == "properties" and not keep) for name in names
        }
    return [ordered(item) for item in value] if isinstance(value, list | tuple) else value


def sparse(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what has its default value."""
    found = {name: value for name, value in fields.items() if value not in ("", None, (), {})}
    if found.get("exact", False):
        del found["exact"]
    for name in ("parameters", "errors"):
        if name in found:
            found[name] = [sparse_item(item) for item in found[name]]
    return found


def sparse_item(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a parameter or an error what has its default value."""
    plain = {"kind": "positional_or_keyword", "base": "Exception"}
    return {
        name: value
        for name, value in fields.items()
        # An empty text is a default of its own: only None says that there is none.
        if value != plain.get(name) and (value not in ("", {}) or name == "default")
        if value is not None
    }


def digest(signature: TaskSignature | str) -> str:
    """Return what stands for a signature, or for its JSON."""
    text = signature if isinstance(signature, str) else to_json(signature)
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_LENGTH]


# ----- reading


def from_json(text: str) -> TaskSignature:
    """Read a signature from whoever wrote it. Nothing in it is evaluated or imported.

    Raises:
        BadSignature: it is none; says why.
    """
    if len(text) > MAX_SIZE:
        raise BadSignature(f"{len(text):,} characters; the limit is {MAX_SIZE:,}")
    try:
        read = _adapter().validate_json(text)
    except (ValueError, RecursionError) as error:
        raise BadSignature(reason_of(error)) from error
    return checked(read)


@cache
def _adapter() -> Any:
    from pydantic import ConfigDict, TypeAdapter, with_config

    # A dataclass takes its configuration from itself; this one is told by a subclass.
    strict = with_config(ConfigDict(strict=True))(
        type("StrictSignature", (TaskSignature,), {"__module__": __name__})
    )
    return TypeAdapter[TaskSignature](strict)


def reason_of(error: Exception) -> str:
    """Return on one line why pydantic refused something."""
    first: Any = getattr(error, "errors", list)()[:1]
    if not first:
        return f"no JSON: {error}"
    where = ".".join(str(part) for part in first[0]["loc"])
    return f"{where}: {first[0]['msg']}".removeprefix(": ")


def checked(signature: TaskSignature) -> TaskSignature:
    """Return a signature of which nothing is left but what the grammar knows.

    Raises:
        BadSignature: no function could have it.
    """
    check_size(signature)
    definitions: dict[str, Schema] = {}
    for name, schema in signature.definitions.items():
        if not DEFINITION_NAME.fullmatch(name):
            raise BadSignature(f"a definition is called {name[:80]!r}")
        definitions[name] = to_schema(schema)
    read = replace(
        signature,
        parameters=tuple(_checked_parameter(each) for each in signature.parameters),
        returns=to_schema(signature.returns),
        return_annotation=readable(signature.return_annotation),
        definitions=definitions,
        doc=readable(signature.doc),
        errors=tuple(_checked_error(each) for each in signature.errors),
        deprecated=readable(signature.deprecated),
        version=readable(signature.version),
        gaps=tuple(readable(each) for each in signature.gaps),
    )
    check_order(read.parameters)
    check_references(read)
    return read if type(read) is TaskSignature else TaskSignature(**_fields(read))


def check_size(signature: TaskSignature) -> None:
    """Refuse a signature of more parts than are read.

    Raises:
        BadSignature: says of which.
    """
    parts = {"parameters": MAX_PARAMETERS, "definitions": MAX_DEFINITIONS}
    for name, limit in parts.items():
        size = len(getattr(signature, name))
        if size > limit:
            raise BadSignature(f"{size:,} {name}; the limit is {limit:,}")


def _fields(signature: TaskSignature) -> dict[str, Any]:
    return {name: getattr(signature, name) for name in TaskSignature.__dataclass_fields__}


def _checked_parameter(parameter: Parameter) -> Parameter:
    name = parameter.name
    if not name.isidentifier() or keyword.iskeyword(name) or len(name) > 255:
        raise BadSignature(f"a parameter is called {name[:80]!r}")
    default = parameter.default
    return replace(
        parameter,
        schema=to_schema(parameter.schema),
        annotation=readable(parameter.annotation),
        default=None if default is None else readable(default),
    )


def _checked_error(error: DeclaredError) -> DeclaredError:
    for name in (error.name, *([error.module] if error.module else ())):
        if len(name) > 255 or not all(part.isidentifier() for part in name.split(".")):
            raise BadSignature(f"an error is called {name[:80]!r}")
    base = vars(builtins).get(error.base)
    if not (isinstance(base, type) and issubclass(base, Exception)):
        raise BadSignature(f"the base of {error.name} is no exception of Python: {error.base!r}")
    return replace(error, doc=readable(error.doc))


def check_order(parameters: Sequence[Parameter]) -> None:
    """Refuse parameters that no function could have in this order, or two of one name.

    Raises:
        BadSignature: says why not.
    """
    try:
        inspect.Signature(
            [
                inspect.Parameter(
                    each.name,
                    getattr(inspect.Parameter, each.kind.upper()),
                    default=inspect.Parameter.empty if each.default is None else each.default,
                )
                for each in parameters
            ]
        )
    except ValueError as error:
        raise BadSignature(f"these parameters cannot be: {error}") from error


def check_references(signature: TaskSignature) -> None:
    """Refuse references to what is not defined."""
    schemas = [each.schema for each in signature.parameters]
    for schema in (*schemas, signature.returns, *signature.definitions.values()):
        for name in references(schema):
            if name not in signature.definitions:
                raise BadSignature(f"there is no definition {name[:80]!r}")


def references(schema: Any) -> set[str]:
    """Return the names of the definitions that a schema refers to."""
    if isinstance(schema, list):
        return {name for item in schema for name in references(item)}
    if not isinstance(schema, Mapping):
        return set()
    found = {
        name for key, value in schema.items() if key not in VALUES for name in references(value)
    }
    own = schema.get("$ref")
    return found | {own.removeprefix(REFERENCE)} if isinstance(own, str) else found


def readable(text: str) -> str:
    """Return a text without the characters that a terminal would obey."""
    return _CONTROLS.sub("\ufffd", text)


# ----- the grammar: what is left of JSON Schema


def to_schema(value: Any, depth: int = 0) -> dict[str, Any]:
    """Read a schema; what the grammar does not know is left out, so that it can grow.

    Raises:
        BadSignature: a keyword has a value that it cannot have, or there are too many levels.
    """
    if value is True:
        return {}
    if not isinstance(value, Mapping):
        raise BadSignature(f"a schema is a {type(value).__name__} in place of an object")
    if depth > MAX_DEPTH:
        raise BadSignature(f"a schema has more than {MAX_DEPTH} levels")
    found: dict[str, Any] = {}
    for name, content in value.items():
        reader = GRAMMAR.get(name)
        if reader is not None:
            try:
                found[name] = reader(content, depth + 1)
            except TypeError as error:
                raise BadSignature(f"a schema's {name!r} {error}") from None
    return found


def _one_of(*kinds: type) -> Callable[[Any, int], Any]:
    def read(value: Any, depth: int) -> Any:
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise TypeError(f"is a {type(value).__name__}")
        if isinstance(value, float) and not isfinite(value):
            raise TypeError(f"is {value}")
        return readable(value) if isinstance(value, str) else value

    return read


def _scalar(value: Any, depth: int) -> Any:
    if value is None:
        return None
    return _one_of(str, bool, int, float)(value, depth)


def _value(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BadSignature(f"a default has more than {MAX_DEPTH} levels")
    if isinstance(value, list):
        return [_value(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {readable(str(key)): _value(item, depth + 1) for key, item in value.items()}
    return _scalar(value, depth)


def _list_of(reader: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
    def read(value: Any, depth: int) -> Any:
        if not isinstance(value, list):
            raise TypeError(f"is a {type(value).__name__} in place of a list")
        return [reader(item, depth) for item in value]

    return read


def _named(reader: Callable[[Any, int], Any]) -> Callable[[Any, int], Any]:
    def read(value: Any, depth: int) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"is a {type(value).__name__} in place of an object")
        return {readable(str(name)): reader(item, depth) for name, item in value.items()}

    return read


def _reference(value: Any, depth: int) -> str:
    if not (isinstance(value, str) and value.startswith(REFERENCE)):
        raise TypeError("leads out of the signature")
    return value


def _type(value: Any, depth: int) -> str:
    if value not in ("string", "integer", "number", "boolean", "null", "array", "object"):
        raise TypeError(f"is {str(value)[:80]!r}")
    return str(value)


def _schema_or_never(value: Any, depth: int) -> Any:
    return False if value is False else to_schema(value, depth)


def _discriminator(value: Any, depth: int) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"is a {type(value).__name__} in place of an object")
    found: dict[str, Any] = {"propertyName": _TEXT(value.get("propertyName"), depth)}
    if "mapping" in value:
        found["mapping"] = _named(_reference)(value["mapping"], depth)
    return found


def _count(value: Any, depth: int) -> int:
    count: int = _one_of(int)(value, depth)
    if not 0 <= count <= MAX_COUNT:
        raise TypeError(f"is {shortened(count)}, and no count")
    return count


def _step(value: Any, depth: int) -> float:
    step: float = _NUMBER(value, depth)
    if step <= 0:
        raise TypeError(f"is {shortened(step)}, and not above 0")
    return step


_TEXT = _one_of(str)
_NUMBER = _one_of(int, float)
_FLAG = _one_of(bool)

#: Keyword -> what reads its value.
GRAMMAR: dict[str, Callable[[Any, int], Any]] = {
    "$ref": _reference,
    "type": _type,
    "format": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "deprecated": _FLAG,
    "const": _scalar,
    "enum": _list_of(_scalar),
    "default": _value,
    "anyOf": _list_of(to_schema),
    "oneOf": _list_of(to_schema),
    "allOf": _list_of(to_schema),
    "discriminator": _discriminator,
    "items": _schema_or_never,
    "prefixItems": _list_of(to_schema),
    "uniqueItems": _FLAG,
    "minItems": _count,
    "maxItems": _count,
    "properties": _named(to_schema),
    "required": _list_of(_TEXT),
    "additionalProperties": _schema_or_never,
    "propertyNames": to_schema,
    "minProperties": _count,
    "maxProperties": _count,
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": _step,
    "minLength": _count,
    "maxLength": _count,
    "pattern": _TEXT,
}

#: Keywords whose values are values, not schemas.
VALUES = frozenset({"const", "enum", "default", "discriminator"})
