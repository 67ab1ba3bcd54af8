"""Parts: the registry that connect() is typed by; a large one has a module for each queue; pure."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from celery_rpc.catalog.model import Catalog
from celery_rpc.codegen.names import REGISTRY, Namer
from celery_rpc.codegen.stubs import OVERLAPPING, Writer, Written, stub_of
from celery_rpc.codegen.syntax import docstring, documented

MODELS = f"{REGISTRY}_models"

#: The class of a service is private to whoever uses the registry, and not to the registry itself.
COMMENTS = {REGISTRY: "# pyright: reportPrivateUsage=false\n", MODELS: ""}

#: How many tasks one module holds; editors read a file as a whole.
MAX_TASKS = 300

#: How much of a queue's name goes into that of a file, which may have 255 bytes.
MAX_STEM = 80


def registry_of(catalog: Catalog, *, max_tasks: int = MAX_TASKS) -> dict[str, Written]:
    """Write the registry: its modules by name, with one report; what is imported stands first.

    All modules stand beside one another. None imports the registry itself, so that a type checker
    with a cache reads no more than the queues that have changed.
    """
    if sum(len(service.public) for service in catalog.services.values()) <= max_tasks:
        return {REGISTRY: stub_of(catalog)}
    writer = Writer.of(catalog, "Services", "typeddict")
    return {
        name: Written(ast.Module(body, []), writer.report, COMMENTS.get(name, OVERLAPPING))
        for name, body in modules_of(writer)
    }


def modules_of(writer: Writer) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Write the models, then each queue with what it takes from them, then the registry."""
    home = dict.fromkeys(writer.book.names(), MODELS)
    if home:
        yield MODELS, models_alone(writer.beside({}))
    names = names_of(writer.tree.children)
    homes: dict[str, str] = {}
    fields: list[ast.stmt] = []
    for attribute, node in writer.tree.children.items():
        part = writer.beside(home)
        fields.append(part.service(node))
        homes[part.classes[-1].name] = names[attribute]
        doc = docstring(f"Service {node.queue}, as celery-rpc genstubs found it.", 0)
        yield names[attribute], [doc, *part.imports.statements(), *part.classes]
    registry = writer.beside({**homes, **home})
    for each in homes:
        registry.imports.name(each)
    for each in home:
        registry.imports.export(each)
    yield REGISTRY, list(together(registry, fields))


def models_alone(writer: Writer) -> list[ast.stmt]:
    """Write the models of all queues: equal ones of several are one class."""
    body = list(writer.book.statements(writer.imports, run_time=False))
    return [docstring("Models of the services.", 0), *writer.imports.statements(), *body]


def together(writer: Writer, body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Write the class of all services, which models can be imported from as well."""
    last = documented(writer.name, [writer.imports.name("BaseClient")], "The services.", body)
    yield docstring(writer.doc, 0)
    yield from writer.imports.statements()
    yield last


def names_of(attributes: Iterable[str]) -> Mapping[str, str]:
    """Return the modules of queues, which differ in more than the case of their letters."""
    namer = Namer([MODELS])
    return {each: namer.take(f"{REGISTRY}_{each.lower()[:MAX_STEM]}") for each in attributes}
