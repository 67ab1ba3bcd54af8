"""Binding: arguments held against a task's signature before they are sent; its result, after."""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from celery_rpc.catalog.signature import Parameter, Schema, TaskSignature
from celery_rpc.errors import ArgumentsError, ResultError
from celery_rpc.support.jsonable import plain, reduced_by_type
from celery_rpc.validation.effort import MAX_PATTERNS, Patience
from celery_rpc.validation.validators import SCALARS, Checker, Misfit, exact_types

Arguments = tuple[Sequence[Any], Mapping[str, Any]]

_QUOTED = re.compile(r"'(\w+)'")


class Argument:
    """One parameter, and what checks its values."""

    def __init__(self, parameter: Parameter, signature: TaskSignature, patterns: Patience) -> None:
        self.name = parameter.name
        self.required = parameter.required
        self.exact = exact_types(parameter.schema)
        self._checker = Checker(parameter.schema, signature.definitions, patterns=patterns)
        self._anything = self.exact == SCALARS

    def to_send(self, value: Any) -> Any:
        """Return the value without models, once it is known to fit.

        Raises:
            Misfit: it does not fit.
        """
        if type(value) in self.exact:
            return value
        if self._anything:
            return plain(value)
        # What was read is only checked; sent is the value, so that a datetime arrives as one.
        found = plain(value, reduced_by_type)
        self._checker.check(found)
        return found


class Binding:
    """One task's signature, ready to be used for many calls."""

    def __init__(
        self, task: str, signature: TaskSignature, models: Mapping[str, type] | None = None
    ) -> None:
        self.task = task
        self.deprecated = signature.deprecated
        self._signature = to_inspect(signature)
        patterns = Patience(MAX_PATTERNS)
        arguments = {
            each.name: Argument(each, signature, patterns) for each in signature.parameters
        }
        kinds = {each.name: each.kind for each in signature.parameters}
        positional = ("positional_only", "positional_or_keyword")
        self._positional = [a for name, a in arguments.items() if kinds[name] in positional]
        self._rest = next((a for n, a in arguments.items() if kinds[n] == "var_positional"), None)
        self._named = {
            name: each
            for name, each in arguments.items()
            if kinds[name] in ("positional_or_keyword", "keyword_only")
        }
        self._others = next((a for n, a in arguments.items() if kinds[n] == "var_keyword"), None)
        #: By the number of positional arguments: the names that are still needed.
        self._needed = [
            frozenset(
                name
                for name, each in arguments.items()
                if each.required and each not in self._positional[:given]
            )
            for given in range(len(self._positional) + 1)
        ]
        self._returned = returned_types(signature.returns)
        self._result = Checker(signature.returns, signature.definitions, models or {}, patterns)

    # ----- arguments

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """Return the arguments of a call as they are sent.

        Raises:
            ArgumentsError: they do not fit the signature; names the parameter.
        """
        if self._fits(args, kwargs):
            return args, kwargs
        try:
            bound = self._signature.bind(*args, **kwargs).arguments
            for each in self._positional:
                # Python 3.13 overlooks it where its name was given, and went to the **others.
                if each.required and each.name not in bound:
                    raise TypeError(f"missing a required argument: {each.name!r}")
        except TypeError as error:
            raise self._unbound(error) from None
        return self._checked(args, kwargs)

    def _fits(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Return whether these are good as they are; most calls are, and this is quick."""
        given = len(args)
        if given >= len(self._needed):
            return False
        for value, argument in zip(args, self._positional, strict=False):
            if type(value) not in argument.exact:
                return False
        if not kwargs:
            return not self._needed[given]
        for name, value in kwargs.items():
            named = self._named.get(name)
            if named is None or type(value) not in named.exact:
                return False
        if not self._needed[given] <= kwargs.keys():
            return False
        return not any(each.name in kwargs for each in self._positional[:given])

    def bind_some(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """Do the same for a signature that may lack arguments.

        What it is called with later, a parent's result first of all, is put before its own
        positional arguments; so these may be those of any later parameters.

        Raises:
            ArgumentsError: they fit nowhere.
        """
        first: ArgumentsError | None = None
        for before in range(max(1, len(self._positional) - len(args) + 1)):
            try:
                return self._placed(args, kwargs, before)
            except ArgumentsError as error:
                first = first or error
        raise first or ArgumentsError(f"{self.task}: too many positional arguments")

    def _placed(self, args: Sequence[Any], kwargs: Mapping[str, Any], before: int) -> Arguments:
        try:
            self._signature.bind_partial(*(None,) * before, *args, **kwargs)
        except TypeError as error:
            raise self._unbound(error) from None
        return self._checked(args, kwargs, before)

    def _checked(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], before: int = 0
    ) -> Arguments:
        at = self._positional[before:]
        return (
            tuple(
                self._to_send(at[number] if number < len(at) else self._rest, value)
                for number, value in enumerate(args)
            ),
            {
                name: self._to_send(self._named.get(name, self._others), value, name)
                for name, value in kwargs.items()
            },
        )

    def _to_send(self, argument: Argument | None, value: Any, name: str = "") -> Any:
        if argument is None:  # pragma: no cover - bind() has refused it
            return value
        where = name or argument.name
        try:
            return argument.to_send(value)
        except Misfit as error:
            reason, cause = f"{where}{error.path}: {error}", error
        except RecursionError:
            reason, cause = f"{where}: it is nested too deeply", None
        except ValueError as error:  # pydantic cannot write what is in a model
            reason, cause = f"{where}: {error}", None
        raise ArgumentsError(f"{self.task}: {reason}", parameter=where) from cause

    def _unbound(self, error: TypeError) -> ArgumentsError:
        named = _QUOTED.search(str(error))
        return ArgumentsError(
            f"{self.task}{self._signature}: {error}", parameter=named[1] if named else None
        )

    # ----- the result

    def read(self, value: Any) -> Any:
        """Return a result as the declared type.

        Raises:
            ResultError: it does not fit; names where and why.
        """
        if type(value) in self._returned:
            return value
        try:
            return self._result.check(value)
        except Misfit as error:
            raise ResultError(
                f"the result of {self.task} does not fit its declared type: "
                f"result{error.path}: {error}",
                path=error.path,
            ) from error


def returned_types(schema: Schema) -> frozenset[type]:
    """Return the classes of results that need no closer look."""
    exact = exact_types(schema)
    # An int that is declared as a float becomes one.
    return exact if exact == SCALARS or float not in exact else exact - {int}


class Shown(str):
    """Text that shows itself without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def to_inspect(signature: TaskSignature) -> inspect.Signature:
    """Return a signature as ``inspect`` has it; annotations and defaults are what people read."""
    empty = inspect.Signature.empty
    return inspect.Signature(
        [
            inspect.Parameter(
                each.name,
                getattr(inspect.Parameter, each.kind.upper()),
                default=empty if each.default is None else Shown(each.default),
                annotation=Shown(each.annotation) if each.annotation else empty,
            )
            for each in signature.parameters
        ],
        return_annotation=Shown(signature.return_annotation)
        if signature.return_annotation
        else empty,
    )
