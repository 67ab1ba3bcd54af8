"""Parameters: a signature -> the arguments of methods, and the forms of a partial signature."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from celery_rpc.catalog.signature import Parameter, TaskSignature
from celery_rpc.catalog.signature_json import BadSignature, check_order
from celery_rpc.codegen.annotations import Annotator, parts_of, union
from celery_rpc.codegen.imports import Imports
from celery_rpc.codegen.names import parameter_of

#: How many forms of ``s()`` a task with many optional parameters gets, and forms of its arguments.
MAX_FORMS = 6

LONGEST_DEFAULT = 40

DOTS = ast.Constant(...)


@dataclass(frozen=True, slots=True)
class Typed:
    """One parameter with its annotation."""

    name: str
    annotation: ast.expr
    #: None: it is required.
    default: ast.expr | None = None
    positional_only: bool = False


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of a task, by kind."""

    positional: tuple[Typed, ...] = ()
    keyword_only: tuple[Typed, ...] = ()
    more: Typed | None = None
    keywords: Typed | None = None
    #: False: not known; anything is accepted.
    exact: bool = True

    @property
    def required(self) -> int:
        """How many positional parameters have no default."""
        return sum(each.default is None for each in self.positional)

    @property
    def arguments(self) -> ast.arguments:
        return to_arguments(self)


def unknown(imports: Imports) -> Parameters:
    """Return the parameters of a task of which only the name is known."""
    anything = imports.name("Any")
    return Parameters(more=Typed("args", anything), keywords=Typed("kwargs", anything), exact=False)


def read_parameters(
    signature: TaskSignature, annotators: Mapping[str, Annotator]
) -> Parameters | None:
    """Read the parameters of a signature, each with what knows where gaps belong.

    Gives None where no method could have them.
    """
    if not can_be(signature.parameters):
        return None
    by_kind: dict[str, list[Typed]] = {}
    for each in signature.parameters:
        by_kind.setdefault(each.kind, []).append(read_parameter(each, annotators[each.name]))
    first = [replace(each, positional_only=True) for each in by_kind.get("positional_only", ())]
    return Parameters(
        positional=(*first, *by_kind.get("positional_or_keyword", ())),
        keyword_only=tuple(by_kind.get("keyword_only", ())),
        more=next(iter(by_kind.get("var_positional", ())), None),
        keywords=next(iter(by_kind.get("var_keyword", ())), None),
    )


def read_guess(
    signature: TaskSignature, annotators: Mapping[str, Annotator], imports: Imports
) -> Parameters:
    """Read what annotations alone tell: the types of some parameters, by name.

    Where those stand is not known: one that nobody annotated may come before them.
    """
    named = tuple(
        Typed(each.name, annotation_of(each, annotators[each.name], exact=False), DOTS)
        for each in signature.parameters
        if parameter_of(each.name) and each.name not in ("args", "kwargs")
    )
    return replace(unknown(imports), keyword_only=named)


def can_be(parameters: Sequence[Parameter]) -> bool:
    """Return whether a method could have these parameters."""
    if not all(parameter_of(each.name) for each in parameters):
        return False
    try:
        check_order(parameters)
    except BadSignature:
        return False
    return True


def read_parameter(each: Parameter, annotator: Annotator) -> Typed:
    """Read one parameter."""
    annotation = annotation_of(each, annotator, exact=True)
    default = None if each.default is None else shown_default(each.default, annotation)
    return Typed(each.name, annotation, default)


def annotation_of(each: Parameter, annotator: Annotator, *, exact: bool) -> ast.expr:
    """Return a parameter's type: of its schema, or of what its annotation says as text."""
    if each.schema or (exact and each.annotation):
        return annotator.read(each.schema, "argument")
    return annotator.read_text("" if exact else each.annotation)


def shown_default(text: str, annotation: ast.expr) -> ast.expr:
    """Return a default that says something and is of the parameter's type; else ``...``."""
    try:
        value = ast.literal_eval(text) if len(text) <= LONGEST_DEFAULT else ...
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return DOTS
    return ast.Constant(value) if fits(value, annotation) else DOTS


def fits(value: Any, annotation: ast.expr) -> bool:
    """Return whether a plain value is of an annotation's type, as far as that is easily told."""
    kinds = {bool: ("bool",), int: ("int", "float"), float: ("float",), str: ("str",)}
    wanted = ("None",) if value is None else kinds.get(type(value), ())
    if isinstance(value, float) and value != value:
        return False
    members = [ast.unparse(part) for part in parts_of(annotation)]
    return bool(wanted) and any(member in (*wanted, "Any") for member in members)


# ----- arguments of methods


def to_arguments(parameters: Parameters, *, itself: bool = True) -> ast.arguments:
    """Return the arguments of a method."""
    first = [each for each in parameters.positional if each.positional_only]
    rest = [each for each in parameters.positional if not each.positional_only]
    own = [ast.arg("self")] if itself else []
    positional_only = [*own, *map(to_argument, first)] if first else []
    return ast.arguments(
        posonlyargs=positional_only,
        args=[*([] if first else own), *map(to_argument, rest)],
        vararg=to_argument(parameters.more) if parameters.more else None,
        kwonlyargs=list(map(to_argument, parameters.keyword_only)),
        kw_defaults=[each.default for each in parameters.keyword_only],
        kwarg=to_argument(parameters.keywords) if parameters.keywords else None,
        defaults=[each.default for each in parameters.positional if each.default is not None],
    )


def to_argument(each: Typed) -> ast.arg:
    return ast.arg(each.name, each.annotation)


def tuples_of(parameters: Parameters, imports: Imports) -> ast.expr:
    """Return the type of the tuples that are all arguments of a call; Never where none can be."""
    if any(each.default is None for each in parameters.keyword_only):
        return imports.name("Never")
    total = len(parameters.positional)
    if not parameters.exact or total - parameters.required > MAX_FORMS:
        return imports.of("tuple", imports.name("Any"), DOTS)
    types = [each.annotation for each in parameters.positional]
    forms = [
        imports.of("tuple", *(types[:number] or [ast.Tuple([])]))
        for number in range(parameters.required, total + 1)
    ]
    if parameters.more is not None:
        rest = imports.of("tuple", parameters.more.annotation, DOTS)
        forms[-1] = imports.of("tuple", *types, ast.Starred(rest)) if types else rest
    return union(forms)


# ----- partial signatures


@dataclass(frozen=True, slots=True)
class Form:
    """One way to call ``s()``, and what comes of it."""

    parameters: Parameters
    #: What it waits for; None: it takes no value of a task before it.
    waits_for: ast.expr | None
    #: Whether it can be called as it is.
    complete: bool


def forms_of(parameters: Parameters, imports: Imports) -> list[Form]:
    """Return the overloads of ``s()``, of which the first that fits decides.

    Celery puts the value of the task before in front of the arguments (celery/canvas.py,
    ``Signature._merge``): so ``add.s(5)`` is ``add(value, 5)``, and its 5 is the second parameter.
    """
    if not parameters.exact:
        return [Form(parameters, imports.name("Any"), True)]
    if parameters.more is not None:
        return _variadic(parameters, imports)
    if not parameters.positional:
        return [Form(parameters, None, True)]
    count, total = parameters.required, len(parameters.positional)
    waits_for = parameters.positional[0].annotation
    forms = [Form(_without_first(parameters, count), waits_for, False)] if count else []
    numbers = range(count, min(total, count + MAX_FORMS))
    forms += [_shifted(parameters, number) for number in numbers]
    forms.append(Form(parameters, None, True))
    # With **kwargs, the first parameter's name would be one of them: that it waits is tried last.
    return [*forms[1:], forms[0]] if count and parameters.keywords is not None else forms


def _without_first(parameters: Parameters, count: int) -> Parameters:
    """Leave out the first parameter; those after the required ones are given by keyword."""
    positional = parameters.positional
    return replace(
        parameters,
        positional=positional[1:count],
        keyword_only=(*by_keyword(positional[count:]), *parameters.keyword_only),
        more=None,
    )


def _shifted(parameters: Parameters, number: int) -> Form:
    """Return the form that has enough positional arguments with or without another.

    Each of them is one parameter now and the next one in a chain, and has to fit both; where it is
    plain that none does both, it is taken for what it is in a chain.
    """
    positional = parameters.positional
    pairs = [(positional[i], positional[i + 1]) for i in range(number)]
    apart = any(are_apart(now.annotation, then.annotation) for now, then in pairs)
    arguments = tuple(
        Typed(
            then.name,
            then.annotation if apart else either(now.annotation, then.annotation),
            positional_only=True,
        )
        for now, then in pairs
    )
    left = replace(
        parameters,
        positional=arguments,
        keyword_only=(*by_keyword(positional[number + 1 :]), *parameters.keyword_only),
    )
    return Form(left, positional[0].annotation, not apart)


def _variadic(parameters: Parameters, imports: Imports) -> list[Form]:
    positional, count = parameters.positional, parameters.required
    assert parameters.more is not None
    if not positional:
        return [Form(parameters, parameters.more.annotation, True)]
    waits_for = positional[0].annotation
    forms = [Form(_without_first(parameters, count), waits_for, False)] if count else []
    anything = imports.name("Any")
    given = tuple(Typed(each.name, anything, positional_only=True) for each in positional[:count])
    rest = replace(
        parameters,
        positional=given,
        keyword_only=(*by_keyword(positional[count:]), *parameters.keyword_only),
        more=Typed(parameters.more.name, anything),
    )
    whole = [Form(rest, waits_for, True), Form(parameters, None, True)]
    return [*whole, *forms] if parameters.keywords is not None else [*forms, *whole]


def by_keyword(parameters: Sequence[Typed]) -> list[Typed]:
    """Return those that can be named, to be named."""
    return [each for each in parameters if not each.positional_only]


def either(one: ast.expr, other: ast.expr) -> ast.expr:
    """Return the type that both fit into."""
    members: Mapping[str, ast.expr] = {
        ast.unparse(part): part for part in [*parts_of(one), *parts_of(other)]
    }
    return members.get("Any") or union([*members.values()])


#: Types of which no value is of another family; bool is an int, and datetime a date.
FAMILIES = {
    **dict.fromkeys(("int", "float", "bool"), "number"),
    **dict.fromkeys(("date", "datetime"), "date"),
    **{each: each for each in ("str", "None", "time", "timedelta", "Decimal", "UUID", "bytes")},
}
CONTAINERS = frozenset({"list", "tuple", "set", "Set", "dict", "Mapping", "Sequence"})


def are_apart(one: ast.expr, other: ast.expr) -> bool:
    """Return whether it is certain that no value is of both types."""
    here, there = families_of(one), families_of(other)
    return bool(here and there) and not here & there


def families_of(annotation: ast.expr) -> frozenset[str]:
    """Return the families of a type's members; none where they are not known."""
    found = {family_of(part) for part in parts_of(annotation)}
    return frozenset() if "" in found else frozenset(found)


def family_of(part: ast.expr) -> str:
    if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
        if part.value.id in CONTAINERS:
            return "container"
        if part.value.id == "Literal":
            return "str" if all(isinstance(c.value, str) for c in constants_of(part)) else "number"
    return FAMILIES.get(ast.unparse(part), "")


def constants_of(node: ast.expr) -> list[ast.Constant]:
    return [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
