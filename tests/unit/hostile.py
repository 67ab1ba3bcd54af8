"""Catalogs as an enemy would publish them: names, texts, types and defaults that try to be code."""

from typing import Any

from hypothesis import strategies as st

from celery_rpc.catalog.address import Address
from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.catalog.signature import DeclaredError, Parameter, TaskSignature
from celery_rpc.codegen.models import Kind

#: What has worked elsewhere, or ought to (swagger-codegen, oapi-codegen, datamodel-code-generator).
ATTACKS = (
    'billing.add"); import os; os.system("x")',
    "add\nimport os\nos.system('x')",
    "add\r\nimport os",
    "add; import os",
    '"""\nimport os\n"""',
    "'''\nimport os\n'''",
    "x\\",
    '\\"""',
    '"""\\',
    "x: __import__('os').system('x')",
    "__import__('os')",
    "billing.__class__.__init__.__globals__",
    "__init_subclass__",
    "__getattr__",
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "",
    ".",
    "a..b",
    ".a",
    "a.",
    "a" * 300,
    ".".join("abcdefghijklmnopqrstuvwxyz"),
    "class",
    "class_",
    "None",
    "print",
    "self",
    "errors",
    "delay",
    "options",
    "close",
    "task",
    "Services",
    "BaseClient",
    "TypedDict",
    "Any",
    "list",
    "type",
    "int",
    "date",
    "overload",
    "\ufb01le",
    "\u0430dd",
    "\u05d0\u05d1",
    "a\u202eb",
    "a\u2066b",
    "a\u200bb",
    "\x1b[31mred",
    "\x00",
    "\ud800",
    "\u2028import os",
    "# type: ignore",
    "x # noqa",
    "{0}",
    "%s",
    "f'{x}'",
    "${x}",
    "lambda: 0",
    "[x for x in ()]",
    "(yield)",
    "(x := 1)",
    "int if x else str",
    "list[int](open('x'))",
    "9" * 5000,
    "(" * 300,
    "-" * 400 + "1",
)


def attack(number: int) -> str:
    return ATTACKS[number]


# Not sampled_from: Hypothesis would show all of them wherever it shows a strategy.
texts = st.integers(0, len(ATTACKS) - 1).map(attack) | st.text(max_size=20)
dotted = texts | st.builds(lambda parts: ".".join(parts), st.lists(texts, max_size=3))
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
definition_names = st.sampled_from(
    ["Money", "Any", "list", "TypedDict", "__main____X", "A.b-c", "1"]
)
references = st.builds(
    lambda name: {"$ref": f"#/$defs/{name}"}, definition_names | st.sampled_from(["nowhere", "a/b"])
)
leaves: st.SearchStrategy[Any] = references | st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "null", "array", "odd"]),
        "format": st.sampled_from(["date", "decimal", "uuid", "tuple", "binary", "odd"]) | texts,
        "const": scalars,
        "enum": st.lists(scalars, max_size=4),
        "default": scalars | st.just([]) | st.just({}),
        "description": texts,
        "title": texts,
    },
)
schemas = st.recursive(
    leaves,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["array", "object"]),
            "items": inner | st.booleans(),
            "prefixItems": st.lists(inner, max_size=3),
            "minItems": st.integers(-1, 4),
            "uniqueItems": st.booleans(),
            "anyOf": st.lists(inner, max_size=3),
            "allOf": st.lists(inner, max_size=2),
            "properties": st.dictionaries(texts, inner, max_size=3),
            "required": st.lists(texts, max_size=2),
            "additionalProperties": inner | st.booleans(),
            "propertyNames": inner,
            "description": texts,
        },
    ),
    max_leaves=6,
)
names = st.sampled_from(["x", "y", "z", "self", "__x", "class", "args", "kwargs", "größe"]) | texts
kinds = st.sampled_from(
    ["positional_only", "positional_or_keyword", "var_positional", "keyword_only", "var_keyword"]
)
parameters = st.builds(
    Parameter,
    name=names,
    kind=kinds,
    schema=schemas,
    annotation=texts,
    default=st.none() | texts | st.sampled_from(["1", "'x'", "None", "-1", "1e999", "[]", "..."]),
)
ORDER = {
    "positional_only": 0,
    "positional_or_keyword": 0,
    "var_positional": 1,
    "keyword_only": 2,
    "var_keyword": 3,
}


def in_order(found: list[Parameter]) -> tuple[Parameter, ...]:
    """Return parameters in an order that a function could have, so that not all are refused."""
    return tuple(sorted(found, key=lambda each: (ORDER[each.kind], each.default is not None)))


errors = st.builds(
    DeclaredError,
    name=texts | st.sampled_from(["Refused", "type", "Any", "RemoteError", "LookupError"]),
    module=texts | st.just(""),
    base=st.sampled_from(["Exception", "LookupError", "OSError", "ExceptionGroup", "eval", "x"]),
    doc=texts,
)
signatures = st.builds(
    TaskSignature,
    parameters=st.lists(parameters, max_size=4).map(in_order)
    | st.lists(parameters, max_size=3, unique_by=lambda each: each.name).map(tuple),
    returns=schemas,
    return_annotation=texts,
    definitions=st.dictionaries(definition_names, schemas, max_size=3),
    doc=texts,
    errors=st.lists(errors, max_size=2).map(tuple),
    deprecated=st.just("") | texts,
    gaps=st.lists(texts, max_size=1).map(tuple),
    exact=st.booleans(),
)
specs = st.builds(
    lambda name, signature: TaskSpec(name=name, signature=signature),
    dotted,
    st.none() | signatures,
)


def catalog_of(services: dict[str, list[TaskSpec]]) -> Catalog:
    return Catalog(
        services={
            queue: Service(
                queue,
                Address(queue, queue, queue),
                frozenset(),
                {spec.name: spec for spec in tasks},
            )
            for queue, tasks in services.items()
        }
    )


catalogs = st.dictionaries(dotted, st.lists(specs, max_size=3), max_size=2).map(catalog_of)
model_kinds: st.SearchStrategy[Kind] = st.sampled_from(["typeddict", "dataclass", "pydantic"])
