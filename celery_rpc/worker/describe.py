"""Describe: a task -> TaskSignature; total: what cannot be described is said, never raised."""

import builtins
import inspect
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Annotated, Any, cast, get_args, get_origin

from celery_rpc.catalog.signature import (
    DeclaredError,
    Parameter,
    ParameterKind,
    Schema,
    TaskSignature,
)
from celery_rpc.catalog.signature_json import MAX_SIZE, checked, to_json

#: Characters of a default or an annotation that are shown.
SHOWN = 200

#: Characters of a docstring that are published.
MAX_DOC = 8_192

ANYTHING = (
    Parameter(name="args", kind="var_positional"),
    Parameter(name="kwargs", kind="var_keyword"),
)

RESULT = "return"

_MODULE = re.compile(r"\b(?:[A-Za-z_]\w*\.)+(?=[A-Za-z_])")


def describe(task: Any, version: str = "") -> TaskSignature:
    """Return the signature of a task; whatever it is, nothing is raised."""
    try:
        return bounded(checked(described(task, version)))
    except Exception as error:
        return unknown(f"the task could not be described: {type(error).__name__}: {error}"[:500])


def unknown(reason: str) -> TaskSignature:
    """Return the signature of which nothing is known but why."""
    return TaskSignature(parameters=ANYTHING, gaps=(reason,))


def bounded(signature: TaskSignature) -> TaskSignature:
    """Leave out the types of a signature that would be too large to send."""
    size = len(to_json(signature))
    if size <= MAX_SIZE:
        return signature
    bare = tuple(
        Parameter(name=each.name, kind=each.kind, default=each.default)
        for each in signature.parameters
    )
    reason = f"its types are left out: {size:,} characters, the limit is {MAX_SIZE:,}"
    return TaskSignature(parameters=bare, doc=signature.doc, gaps=(reason,))


def described(task: Any, version: str) -> TaskSignature:
    """Return the signature of a task.

    Raises:
        Exception: any at all.
    """
    function = innermost(task.run)
    try:
        signature = inspect.signature(task.run)
    except (TypeError, ValueError) as error:
        return unknown(f"its parameters are not known: {error}")
    annotations = annotations_of(signature)
    schemas, definitions, gaps = types_of(annotations, getattr(function, "__globals__", {}))
    return TaskSignature(
        parameters=tuple(
            Parameter(
                name=each.name,
                kind=cast("ParameterKind", each.kind.name.lower()),
                schema=schemas.get(each.name, {}),
                annotation=shown_annotation(each.annotation),
                default=shown_default(each.default),
            )
            for each in signature.parameters.values()
        ),
        returns=schemas.get(RESULT, {}),
        return_annotation=shown_annotation(signature.return_annotation),
        definitions=definitions,
        doc=doc_of(task, function),
        errors=tuple(errors_of(task)),
        deprecated=deprecation_of(task, function),
        version=version,
        gaps=tuple(gaps),
    )


def innermost(function: Any) -> Any:
    """Return the function that the author wrote, below decorators and methods."""
    function = inspect.unwrap(function)
    return inspect.unwrap(getattr(function, "__func__", function))


def annotations_of(signature: inspect.Signature) -> dict[str, Any]:
    """Return what is annotated, by name."""
    found = {name: each.annotation for name, each in signature.parameters.items()}
    found[RESULT] = signature.return_annotation
    return {name: each for name, each in found.items() if each is not inspect.Signature.empty}


def types_of(
    annotations: Mapping[str, Any], names: Mapping[str, Any]
) -> tuple[dict[str, Schema], dict[str, Schema], list[str]]:
    """Return the schemas by name, the definitions they share, and what could not be described."""
    if not annotations:
        return {}, {}, []
    try:
        from celery_rpc.worker.types import TypeBook, first_line, localized
    except ImportError as error:
        return {}, {}, [f"types are not described: {error}"]
    book = TypeBook()
    for name, annotation in annotations.items():
        try:
            resolved = localized(annotation, names)
        except Exception as error:  # such as a name that is imported for type checkers alone
            book.gaps.append(f"{name}: {first_line(error)}")
        else:
            book.add(name, resolved, "serialization" if name == RESULT else "validation")
    schemas = book.schemas()
    return schemas, book.definitions, book.gaps


# ----- what people read


def shown_annotation(annotation: Any) -> str:
    """Return an annotation as people read it: without modules, and without metadata."""
    if annotation is inspect.Signature.empty:
        return ""
    if isinstance(annotation, str):
        return shortened(annotation)
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return shortened(_MODULE.sub("", inspect.formatannotation(annotation)))


def shown_default(default: Any) -> str | None:
    """Return a default as Python shows it; ``...`` where that says nothing."""
    if default is inspect.Parameter.empty:
        return None
    if isinstance(default, Enum):
        default = default.value
    text = repr(default) if is_plain(default) else "..."
    return text if len(text) <= SHOWN else "..."


def is_plain(value: Any, depth: int = 0) -> bool:
    """Return whether a value's repr is the same in every process."""
    if value is None or type(value) in (bool, int, float, str):
        return True
    if depth > 4 or type(value) not in (list, tuple, dict) or len(value) > 20:
        return False
    parts: Iterable[Any] = [*value, *value.values()] if isinstance(value, dict) else value
    return all(is_plain(part, depth + 1) for part in parts)


def shortened(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def doc_of(task: Any, function: Any) -> str:
    """Return the docstring of the function, or of the task's own class."""
    own = getattr(function, "__doc__", None)
    if own is None or getattr(function, "__module__", "") == "celery.app.task":
        own = vars(type(task)).get("__doc__")
    return inspect.cleandoc(own)[:MAX_DOC] if isinstance(own, str) else ""


def deprecation_of(task: Any, function: Any) -> str:
    """Return what ``rpc_deprecated=`` says, or ``@deprecated`` (PEP 702)."""
    said = getattr(task, "rpc_deprecated", None) or getattr(function, "__deprecated__", None)
    if said is True:
        return "it is deprecated"
    return said if isinstance(said, str) else ""


def errors_of(task: Any) -> Iterable[DeclaredError]:
    """Return what ``rpc_errors=`` and ``throws=`` declare."""
    declared: dict[type, None] = {}
    for option in ("rpc_errors", "throws"):
        given = getattr(task, option, None) or ()
        for each in given if isinstance(given, list | tuple | set | frozenset) else (given,):
            if isinstance(each, type) and issubclass(each, Exception):
                declared[each] = None
    return [to_error(each) for each in declared]


def to_error(cls: type[Exception]) -> DeclaredError:
    """Describe an exception class."""
    base = next(each for each in cls.__mro__ if vars(builtins).get(each.__name__) is each)
    return DeclaredError(
        name=cls.__qualname__.replace("<locals>.", ""),
        module=cls.__module__,
        base=base.__name__,
        doc=inspect.cleandoc(vars(cls).get("__doc__") or "").split("\n\n", 1)[0],
    )
