"""Stubs: Catalog -> typed classes for what a client offers; pure."""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.catalog.signature import DeclaredError, TaskSignature
from celery_rpc.catalog.signature_json import BadSignature, checked
from celery_rpc.codegen.arguments import (
    Form,
    Parameters,
    forms_of,
    read_guess,
    read_parameters,
    to_arguments,
    tuples_of,
    unknown,
)
from celery_rpc.codegen.imports import HOMES, Imports
from celery_rpc.codegen.layout import text_of
from celery_rpc.codegen.models import Kind, ModelBook
from celery_rpc.codegen.names import Namer, attribute_of, camel
from celery_rpc.codegen.report import Report
from celery_rpc.codegen.syntax import docstring, documented, field_of, function
from celery_rpc.codegen.tree import Node, tree_of

#: Builtin exceptions that a declared error may be, too.
BASES = frozenset(
    {
        *("ArithmeticError", "AssertionError", "AttributeError", "ConnectionError", "EOFError"),
        *("FileNotFoundError", "IndexError", "KeyError", "LookupError", "NotImplementedError"),
        *("OSError", "OverflowError", "PermissionError", "RuntimeError", "TimeoutError"),
        *("TypeError", "ValueError", "ZeroDivisionError"),
    }
)

MODELS = "__rpc_models__"

#: Of the overloads of s(), the first that fits decides: they overlap, and are meant to.
OVERLAPPING = """\
# mypy: disable-error-code="overload-overlap"
# pyright: reportOverlappingOverload=false
"""


@dataclass(slots=True)
class Written:
    """A generated module."""

    tree: ast.Module
    report: Report
    comments: str = ""

    @property
    def text(self) -> str:
        return self.comments + text_of(self.tree)


def stub_of(catalog: Catalog, *, name: str = "Services", models: Kind = "typeddict") -> Written:
    """Write the stub of a class of services.

    Args:
        name: what the class is called; ``Services`` is what ``connect()`` gives.
        models: what definitions become.
    """
    writer = Writer.of(catalog, name, models)
    return Written(ast.Module(list(writer.stub()), []), writer.report, OVERLAPPING)


def module_of(catalog: Catalog, *, name: str, models: Kind = "typeddict") -> Written:
    """Write the module that is imported at run time, whose stub is the stub of that name."""
    writer = Writer.of(catalog, name, models)
    return Written(ast.Module(list(writer.module()), []), writer.report)


def trusted(catalog: Catalog, report: Report) -> Catalog:
    """Return a catalog of which every signature is one; others are known by name alone."""
    return replace(
        catalog,
        services={
            queue: replace(
                service,
                tasks={
                    name: _trusted(queue, spec, report)
                    for name, spec in sorted(service.public.items())
                },
            )
            for queue, service in sorted(catalog.services.items())
        },
    )


def _trusted(queue: str, spec: TaskSpec, report: Report) -> TaskSpec:
    if spec.signature is None:
        report.add(queue, spec.name, "", "only its name is known")
        return spec
    try:
        return replace(spec, signature=checked(spec.signature))
    except (BadSignature, TypeError, ValueError, AttributeError, RecursionError) as error:
        report.add(queue, spec.name, "", f"its signature is none: {error}"[:200])
        return replace(spec, signature=None)


@dataclass(slots=True)
class Writer:
    """Writes one module; what it holds is found first, then named, then written."""

    catalog: Catalog
    name: str
    report: Report
    book: ModelBook
    tree: Node
    namer: Namer
    imports: Imports
    doc: str = "Services, as celery-rpc genstubs found them."
    #: What was written of tasks and services so far.
    classes: list[ast.ClassDef] = field(default_factory=list[ast.ClassDef])

    @classmethod
    def of(cls, catalog: Catalog, name: str, models: Kind) -> "Writer":
        report = Report()
        catalog = trusted(catalog, report)
        book = ModelBook.of(catalog, models, report)
        tree = tree_of(catalog, report)
        namer = Namer([*HOMES, name, *shadows(book, tree)])
        book.name_all(namer)
        report.models = len(book.models)
        report.services, report.tasks = len(catalog), tree.count
        return cls(catalog, name, report, book, tree, namer, Imports(shadows(book, tree)))

    def beside(self, homes: Mapping[str, str]) -> "Writer":
        """Return what writes another module, with no class of the same name.

        Args:
            homes: the modules that have the classes which are not in it.
        """
        return replace(self, imports=self.imports.beside(homes), classes=[])

    # ----- modules

    def stub(self) -> Iterator[ast.stmt]:
        body = [self.service(node) for node in self.tree.children.values()]
        base = self.imports.name("BaseClient")
        if self.book.classes():
            types = self.imports.of("Mapping", self.imports.name("str"), self.imports.name("type"))
            outer = self.imports.of("Mapping", self.imports.name("str"), types)
            body.insert(0, field_of(MODELS, self.imports.of("ClassVar", outer)))
        models = list(self.book.statements(self.imports, run_time=False))
        last = documented(self.name, [base], "The services.", body)
        yield docstring(self.doc, 0)
        yield from self.imports.statements()
        yield from [*models, *self.classes, last]

    def module(self) -> Iterator[ast.stmt]:
        base = self.imports.name("BaseClient")
        classes = ast.Dict(
            [ast.Constant(queue) for queue in self.book.classes()],
            [
                ast.Dict([ast.Constant(n) for n in named], [ast.Name(c) for c in named.values()])
                for named in self.book.classes().values()
            ],
        )
        models = list(self.book.statements(self.imports, run_time=True))
        body = [ast.Assign([ast.Name(MODELS)], classes, lineno=0)]
        yield docstring(self.doc, 0)
        yield ast.ImportFrom("__future__", [ast.alias("annotations")], 0)
        yield from self.imports.statements()
        yield from models
        yield documented(
            self.name, [base], "The services, for connect(services=...) and type checkers.", body
        )

    # ----- services

    def service(self, node: Node) -> ast.stmt:
        """Write the class of a service or of a part of it, and give the attribute for it."""
        body = [self._below(each) for each in node.children.values()]
        name = self.namer.take(f"_{camel(*node.path)}")
        service = self.catalog.services[node.queue]
        if len(node.path) == 1 and (errors := self._errors(service, name)) is not None:
            body.insert(0, field_of("errors", errors))
        doc = f"Service {node.queue}." if len(node.path) == 1 else f"Tasks of {node.queue}."
        self.classes.append(documented(name, [self.imports.name("ServiceBase")], doc, body))
        return field_of(node.attribute, ast.Name(name))

    def _below(self, node: Node) -> ast.stmt:
        return self.service(node) if node.task is None else self._task(node, node.task)

    def _errors(self, service: Service, owner: str) -> ast.expr | None:
        """Write the errors that a service's tasks declare."""
        declared: dict[str, DeclaredError] = {}
        for name in sorted(service.tasks):
            signature = service.tasks[name].signature
            for error in signature.errors if signature else ():
                declared.setdefault(error.name.rpartition(".")[2], error)
        fields: list[ast.stmt] = []
        for name, error in sorted(declared.items()):
            attribute = attribute_of(name, ())
            if attribute is None:
                self.report.add(service.queue, "", f"errors.{name[:80]}", "it can be no attribute")
                continue
            own = self.namer.take(f"{owner}{camel(name)}")
            bases = [self.imports.name("RemoteError")]
            if error.base in BASES:
                bases.append(self.imports.name(error.base))
            self.classes.append(documented(own, bases, error.doc, []))
            fields.append(field_of(attribute, self.imports.of("type", ast.Name(own))))
        if not fields:
            return None
        own = self.namer.take(f"{owner}Errors")
        doc = f"What the tasks of {service.queue} declare to raise."
        self.classes.append(documented(own, [], doc, fields))
        return ast.Name(own)

    # ----- tasks

    def _task(self, node: Node, spec: TaskSpec) -> ast.stmt:
        """Write the class of a task, with what is below its name."""
        below = [self._below(each) for each in node.children.values()]
        name = self.namer.take(f"_{camel(*node.path)}")
        known = spec.signature or TaskSignature()
        doc = known.doc if known.doc.strip() else f"Task {spec.name}."
        parameters, result = self._types(node.queue, spec)
        writer = TaskWriter(self.imports, parameters, result, doc, known.deprecated)
        base = self.imports.of("TaskBase", tuples_of(parameters, self.imports), result)
        self.classes.append(documented(name, [base], doc, [*below, *writer.methods()]))
        return field_of(node.attribute, ast.Name(name))

    def _types(self, queue: str, spec: TaskSpec) -> tuple[Parameters, ast.expr]:
        """Return the parameters and the result of a task."""
        signature = spec.signature
        if signature is None:
            return unknown(self.imports), self.imports.name("Any")
        for gap in signature.gaps:
            self.report.add(queue, spec.name, "", gap)
        parameters = self._parameters(queue, spec, signature)
        annotator = self.book.annotator(
            self.imports, signature.definitions, self._gap(queue, spec, "return")
        )
        if signature.returns or (signature.exact and signature.return_annotation):
            return parameters, annotator.read(signature.returns, "result")
        return parameters, annotator.read_text(
            "" if signature.exact else signature.return_annotation
        )

    def _parameters(self, queue: str, spec: TaskSpec, signature: TaskSignature) -> Parameters:
        annotators = {
            each.name: self.book.annotator(
                self.imports, signature.definitions, self._gap(queue, spec, each.name)
            )
            for each in signature.parameters
        }
        if not signature.exact:
            return read_guess(signature, annotators, self.imports)
        found = read_parameters(signature, annotators)
        if found is None:
            self.report.add(queue, spec.name, "", "no method could have its parameters")
            return unknown(self.imports)
        return found

    def _gap(self, queue: str, spec: TaskSpec, where: str) -> Callable[[str], object]:
        return lambda reason: self.report.add(queue, spec.name, where, reason)


def shadows(book: ModelBook, tree: Node) -> frozenset[str]:
    """Return what classes of the module call their attributes: within them it hides types."""
    fields = {name for model in book.models.values() for name in model.fields}
    below = {name for node in tree if node.task is not None for name in node.children}
    return frozenset({*fields, *below})


@dataclass(slots=True)
class TaskWriter:
    """Writes the methods of one task."""

    imports: Imports
    parameters: Parameters
    result: ast.expr
    doc: str
    deprecated: str

    def methods(self) -> Iterator[ast.stmt]:
        of, arguments = self.imports.of, self.parameters.arguments
        reply = of("Reply", self.result)
        shown: dict[str, Any] = {"doc": self.doc, "decorators": self._marks()}
        yield function("__call__", arguments, self.result, **shown)
        yield function("aio", arguments, self.result, **shown, is_async=True)
        yield function("delay", arguments, reply, **shown)
        yield from self._partials()
        yield function("si", arguments, of("ImmSig", self.result))

    def _marks(self) -> list[ast.expr]:
        if not self.deprecated:
            return []
        return [ast.Call(self.imports.name("deprecated"), [ast.Constant(self.deprecated)], [])]

    def _partials(self) -> Iterator[ast.stmt]:
        forms = forms_of(self.parameters, self.imports)
        marks = [self.imports.name("overload")] if len(forms) > 1 else []
        for form in forms:
            yield function("s", to_arguments(form.parameters), self._signed(form), decorators=marks)

    def _signed(self, form: Form) -> ast.expr:
        if form.waits_for is None:
            return self.imports.of("Sig", self.result)
        return self.imports.of("Flex" if form.complete else "Partial", form.waits_for, self.result)
