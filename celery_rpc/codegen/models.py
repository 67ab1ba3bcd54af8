"""Models: definitions -> classes; equal ones of several tasks become one class."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from celery_rpc.catalog.model import Catalog
from celery_rpc.catalog.signature import Schema, TaskSignature
from celery_rpc.catalog.signature_json import references
from celery_rpc.codegen.annotations import Annotator, Mode
from celery_rpc.codegen.closures import Closures, Key
from celery_rpc.codegen.imports import Imports
from celery_rpc.codegen.names import Namer, camel, parameter_of
from celery_rpc.codegen.report import Report
from celery_rpc.codegen.syntax import documented, field_of

Kind = Literal["typeddict", "dataclass", "pydantic"]

#: How many classes and how many fields of one are written; what is more becomes a plain dict.
MAX_MODELS = 20_000
MAX_FIELDS = 500

#: What pydantic's BaseModel has itself, beside what starts with ``model_``.
OF_PYDANTIC = frozenset(
    {
        *("construct", "copy", "dict", "from_orm", "json", "parse_file", "parse_obj", "parse_raw"),
        *("schema", "schema_json", "update_forward_refs", "validate"),
    }
)

#: The definitions that are part of an argument, and of a result.
Roles = Mapping[Mode, set[str]]


@dataclass(slots=True)
class Model:
    """One class."""

    key: Key
    schema: Schema
    closures: Closures
    #: Where it was met first.
    queue: str
    task: str
    kind: Kind | Literal["literal"]
    name: str = ""
    #: The TypedDict that is accepted beside it; empty where there is none.
    dict_name: str = ""
    #: Whether it is part of an argument, and of a result.
    is_given: bool = False
    is_received: bool = False

    @property
    def fields(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.schema.get("properties", {})
        return found

    def is_required(self, name: str) -> bool:
        return name in self.schema.get("required", ())

    def is_there(self, name: str, mode: Mode) -> bool:
        """Return whether a field is always there: in a result, one with a default is."""
        return self.is_required(name) or (mode == "result" and has_default(self.fields[name]))

    @property
    def has_defaults(self) -> bool:
        """Return whether arguments may lack what results have, in it or in what it is made of."""
        definitions = self.closures.definitions
        closure = [definitions[name] for name in self.closures.reached([self.key[0]])]
        return any(
            has_default(each) and name not in schema.get("required", ())
            for schema in closure
            if isinstance(schema.get("properties"), Mapping)
            for name, each in schema["properties"].items()
        )


@dataclass(slots=True)
class ModelBook:
    """All models of a catalog."""

    kind: Kind
    report: Report
    models: dict[Key, Model] = field(default_factory=dict[Key, Model])
    #: By the id of a signature's definitions, which they keep.
    closures: dict[int, Closures] = field(default_factory=dict[int, Closures])
    #: Queue -> name of a definition -> the models that it stands for there.
    by_queue: dict[str, dict[str, list[Model]]] = field(
        default_factory=dict[str, dict[str, list[Model]]]
    )

    @classmethod
    def of(cls, catalog: Catalog, kind: Kind, report: Report) -> "ModelBook":
        """Collect the definitions of every signature."""
        book = cls(kind, report)
        for queue, task, signature in signatures_of(catalog):
            roles = book._roles_of(signature)
            for name in sorted(signature.definitions):
                book._add(queue, task, name, signature, roles)
        book._settle()
        return book

    def _add(
        self, queue: str, task: str, name: str, signature: TaskSignature, roles: Roles
    ) -> None:
        schema = signature.definitions[name]
        kind = self._kind_of(schema)
        if kind is None:
            return
        closures = self.closures_of(signature.definitions)
        key = closures.key(name)
        if key not in self.models:
            if len(self.models) >= MAX_MODELS:
                return
            self.models[key] = Model(key, schema, closures, queue, task, kind)
        self.models[key].is_given |= name in roles["argument"]
        self.models[key].is_received |= name in roles["result"]
        found = self.by_queue.setdefault(queue, {}).setdefault(name, [])
        if self.models[key] not in found:
            found.append(self.models[key])

    def closures_of(self, definitions: Mapping[str, Schema]) -> Closures:
        """Return what is known of the definitions of a signature."""
        known = self.closures.get(id(definitions))
        if known is None:
            known = self.closures[id(definitions)] = Closures(definitions)
        return known

    def _roles_of(self, signature: TaskSignature) -> Roles:
        """Return the definitions that the arguments are made of, and those of the result."""
        closures = self.closures_of(signature.definitions)
        given = [name for each in signature.parameters for name in references(each.schema)]
        return {
            "argument": closures.reached(given),
            "result": closures.reached(references(signature.returns)),
        }

    def _kind_of(self, schema: Schema) -> Kind | Literal["literal"] | None:
        """Return what becomes of a definition; None: it is read in place."""
        if isinstance(schema.get("enum"), list):
            return "literal"
        properties = schema.get("properties")
        if schema.get("type") != "object" or not isinstance(properties, Mapping):
            return None
        if len(properties) > MAX_FIELDS or not isinstance(schema.get("required", []), list):
            return None
        return self.kind

    def _settle(self) -> None:
        """Let those be TypedDicts that can be no class."""
        for named in self.by_queue.values():
            for models in named.values():
                for model in models:
                    reason = "its name stands for several" if len(models) > 1 else unfit(model)
                    if model.kind in ("dataclass", "pydantic") and reason:
                        model.kind = "typeddict"
                        self.report.add(
                            model.queue, model.task, model.key[0], f"a TypedDict: {reason}"
                        )

    def name_all(self, namer: Namer) -> None:
        """Name each model."""
        for model in self.models.values():
            model.name = namer.take(camel(model.key[0]))
        for model in self.models.values():
            if model.kind in ("dataclass", "pydantic"):
                model.dict_name = namer.take(f"{model.name}Dict")
            elif model.is_given and model.is_received and model.has_defaults:
                model.dict_name = namer.take(f"{model.name}Input")

    def names(self) -> list[str]:
        """Return the names of all classes, sorted."""
        named = ((model.name, model.dict_name) for model in self.models.values())
        return sorted(name for names in named for name in names if name)

    def find(self, name: str, definitions: Mapping[str, Schema]) -> Model | None:
        """Return the model of a definition, if it has one."""
        if name not in definitions:
            return None
        return self.models.get(self.closures_of(definitions).key(name))

    def classes(self) -> dict[str, dict[str, str]]:
        """Return the names of the classes of results: queue -> definition -> class."""
        found = {
            queue: {
                name: models[0].name
                for name, models in sorted(named.items())
                if models[0].kind in ("dataclass", "pydantic")
            }
            for queue, named in sorted(self.by_queue.items())
        }
        return {queue: named for queue, named in found.items() if named}

    # ----- types of definitions

    def annotator(
        self, imports: Imports, definitions: Mapping[str, Schema], gap: Callable[[str], object]
    ) -> Annotator:
        """Return what reads the schemas that use these definitions."""

        def named(name: str, mode: Mode) -> list[ast.expr] | None:
            model = self.find(name, definitions)
            if model is None:
                return None
            names = [model.name]
            if mode == "argument" and model.dict_name:
                names.append(model.dict_name)
            return [imports.name(each) for each in names]

        allowance = self.closures_of(definitions).allowance
        return Annotator(imports, definitions, named, gap, allowance)

    # ----- classes

    def statements(self, imports: Imports, *, run_time: bool) -> Iterator[ast.stmt]:
        """Write the classes, sorted by name; what others refer to by value stands first.

        Args:
            run_time: for a module that is imported; else for a stub, where defaults are ``...``.
        """
        models = sorted(self.models.values(), key=lambda m: (m.kind != "literal", m.name))
        for model in models:
            writer = ModelWriter(self, imports, model, run_time)
            yield from writer.statements()


@dataclass(slots=True)
class ModelWriter:
    """Writes the class of one model."""

    book: ModelBook
    imports: Imports
    model: Model
    run_time: bool

    def statements(self) -> Iterator[ast.stmt]:
        model = self.model
        if model.kind == "literal":
            value = self._annotator().read({"enum": model.schema["enum"]}, "result")
            yield ast.AnnAssign(
                ast.Name(model.name), self.imports.name("TypeAlias"), value, simple=1
            )
            return
        if model.kind == "typeddict":
            yield self._typed_dict(model.name, "result" if model.is_received else "argument")
        else:
            yield self._class()
        if model.dict_name:
            yield self._typed_dict(model.dict_name, "argument")

    def _annotator(self) -> Annotator:
        model = self.model

        def gap(reason: str) -> None:
            self.book.report.add(model.queue, model.task, model.key[0], reason)

        return self.book.annotator(self.imports, model.closures.definitions, gap)

    def _fields(self, mode: Mode) -> dict[str, ast.expr]:
        annotator = self._annotator()
        return {name: annotator.read(each, mode) for name, each in self.model.fields.items()}

    def _doc(self) -> str:
        return str(self.model.schema.get("description") or "")

    def _typed_dict(self, name: str, mode: Mode) -> ast.stmt:
        items = {
            key: each if self.model.is_there(key, mode) else self.imports.of("NotRequired", each)
            for key, each in self._fields(mode).items()
        }
        base = self.imports.name("TypedDict")
        if all(parameter_of(key) for key in items):
            return documented(name, [base], self._doc(), [field_of(k, a) for k, a in items.items()])
        pairs = ast.Dict([ast.Constant(key) for key in items], [*items.values()])
        if self.run_time:  # these annotations would be evaluated
            pairs.values = [ast.Constant(ast.unparse(each)) for each in items.values()]
        call = ast.Call(base, [ast.Constant(name), pairs], [])
        return ast.Assign([ast.Name(name)], call, lineno=0)

    def _class(self) -> ast.stmt:
        lines = [
            field_of(name, annotation, self._default(name))
            for name, annotation in self._fields("result").items()
        ]
        if self.model.kind == "pydantic":
            base = self.imports.name("BaseModel")
            return documented(self.model.name, [base], self._doc(), lines)
        decorator = ast.Call(
            self.imports.name("dataclass"), [], [ast.keyword("kw_only", ast.Constant(True))]
        )
        return documented(self.model.name, [], self._doc(), lines, [decorator])

    def _default(self, name: str) -> ast.expr | None:
        if self.model.is_required(name):
            return None
        if not self.run_time:
            return ast.Constant(...)
        default = self.model.fields[name].get("default")
        if default is None or isinstance(default, str | int | float):
            return ast.Constant(default)
        make = "field" if self.model.kind == "dataclass" else "Field"
        factory = self.imports.name(type(default).__name__)
        if isinstance(default, list):
            factory = self.imports.name(container_of(self.model.fields[name]))
        return ast.Call(self.imports.name(make), [], [ast.keyword("default_factory", factory)])


def container_of(schema: Schema) -> str:
    """Return the class of an empty list."""
    return (
        "tuple"
        if schema.get("format") == "tuple"
        else "set"
        if schema.get("uniqueItems")
        else "list"
    )


def unfit(model: Model) -> str:
    """Return why a definition can be no class; empty where it can."""
    for name, schema in model.fields.items():
        if parameter_of(name) is None or name.startswith("_"):
            return f"{name[:80]!r} can be no attribute"
        if name in OF_PYDANTIC or name.startswith("model_"):
            return f"{name!r} is an attribute of every model"
        if not model.is_required(name) and not has_plain_default(schema):
            return f"{name!r} may be left out, and what it is then is not known"
    return ""


def has_plain_default(schema: Any) -> bool:
    """Return whether the default of a field can be written down as it is."""
    if not isinstance(schema, Mapping) or "default" not in schema:
        return False
    default = schema["default"]
    if default is None:
        return {"type": "null"} in schema.get("anyOf", []) or not set(schema) - {"default"}
    if isinstance(default, list | dict):
        return not default and schema.get("type") in ("array", "object")
    plain = {"string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)}
    kinds = plain.get(str(schema.get("type")), ())
    return "format" not in schema and type(default) in kinds


def signatures_of(catalog: Catalog) -> Iterator[tuple[str, str, TaskSignature]]:
    """Yield every signature that is known, with its queue and task, sorted."""
    for queue in sorted(catalog):
        public = catalog[queue].public
        for task in sorted(public):
            signature = public[task].signature
            if signature is not None:
                yield queue, task, signature


def has_default(schema: Any) -> bool:
    return isinstance(schema, Mapping) and "default" in schema
