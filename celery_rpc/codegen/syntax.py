"""Syntax: the pieces of syntax trees that generated modules are made of, and which those may be."""

import ast
import inspect
from collections.abc import Iterator, Sequence

from celery_rpc.codegen.names import is_part

#: All that a generated module may hold; whatever a remote name or text did, it is one of these.
ALLOWED: tuple[type[ast.AST], ...] = (
    *(ast.Module, ast.ImportFrom, ast.alias, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef),
    *(ast.arguments, ast.arg, ast.keyword, ast.Expr, ast.Constant, ast.Name, ast.Load, ast.Store),
    *(ast.Assign, ast.AnnAssign, ast.Attribute, ast.Subscript, ast.Tuple, ast.BinOp, ast.BitOr),
    *(ast.UnaryOp, ast.USub, ast.Starred, ast.Call, ast.Dict),
)
#: All that may be called, and nothing else.
CALLED = frozenset({"TypedDict", "dataclass", "deprecated", "field", "Field"})
#: All that may be imported from.
SOURCES = frozenset(
    {
        *("__future__", "builtins", "collections.abc", "dataclasses", "datetime", "decimal"),
        *("pydantic", "typing", "typing_extensions", "uuid", "celery_rpc", "celery_rpc.algebra"),
    }
)


def documented(
    name: str,
    bases: Sequence[ast.expr],
    doc: str,
    body: Sequence[ast.stmt],
    decorators: Sequence[ast.expr] = (),
) -> ast.ClassDef:
    """Return a class with a docstring, if there is one."""
    lines = [*([docstring(doc, 4)] if doc.strip() else []), *body]
    return ast.ClassDef(
        name, list(bases), [], lines or [ast.Expr(ast.Constant(...))], list(decorators)
    )


def docstring(doc: str, indent: int) -> ast.stmt:
    """Return a docstring whose lines stand below one another."""
    lines = inspect.cleandoc(doc.expandtabs(4)).splitlines() or [""]
    text = "\n".join(f"{' ' * indent}{line.rstrip()}" if line.strip() else "" for line in lines)
    if len(lines) > 1:
        text = f"{text.lstrip()}\n{' ' * indent}"
    return ast.Expr(ast.Constant(text.strip(" ") if len(lines) == 1 else text))


def field_of(name: str, annotation: ast.expr, default: ast.expr | None = None) -> ast.stmt:
    """Return ``name: annotation = default``."""
    return ast.AnnAssign(ast.Name(name), annotation, default, simple=1)


def function(
    name: str,
    arguments: ast.arguments,
    returns: ast.expr,
    *,
    doc: str = "",
    decorators: Sequence[ast.expr] = (),
    is_async: bool = False,
) -> ast.stmt:
    """Return a method of a stub, which has no body; a docstring is shown where it is called."""
    kind = ast.AsyncFunctionDef if is_async else ast.FunctionDef
    body = [docstring(doc, 8) if doc.strip() else ast.Expr(ast.Constant(...))]
    return kind(name, arguments, body, list(decorators), returns, lineno=0)


def is_source(node: ast.ImportFrom) -> bool:
    """Return whether a generated module may import from there: from its own parts, too."""
    module = node.module or ""
    return not node.level and (module in SOURCES or is_part(module))


def strangers(tree: ast.AST) -> Iterator[str]:
    """Name what a generated module must not hold."""
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED):
            yield type(node).__name__
        elif isinstance(node, ast.ImportFrom) and not is_source(node):
            yield f"import from {node.module}"
        elif isinstance(node, ast.Call) and not (
            isinstance(node.func, ast.Name) and node.func.id.removeprefix("_") in CALLED
        ):
            yield f"call of {ast.unparse(node.func)[:80]}"
