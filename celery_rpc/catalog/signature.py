"""TaskSignature: what a task takes and gives, as values that survive JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: JSON Schema (draft 2020-12); ``{}`` allows anything. References are ``#/$defs/<Name>`` and point
#: into the definitions of the signature that the schema is part of.
Schema = Mapping[str, Any]

#: ``inspect.Parameter.kind``, as text.
ParameterKind = Literal[
    "positional_only", "positional_or_keyword", "var_positional", "keyword_only", "var_keyword"
]

VARIADIC = ("var_positional", "var_keyword")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a task, without ``self``."""

    name: str
    kind: ParameterKind = "positional_or_keyword"
    #: Of one value: for ``*args: int`` and ``**kwargs: int`` that of an int.
    schema: Schema = field(default_factory=dict[str, Any])
    #: The annotation as people read it; empty where there is none.
    annotation: str = ""
    #: The default as Python shows it, ``...`` where that says nothing; None: there is none.
    default: str | None = None

    @property
    def required(self) -> bool:
        return self.default is None and self.kind not in VARIADIC


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredError:
    """An exception that a task declares to raise."""

    name: str
    module: str = ""
    #: The nearest builtin class that it derives from.
    base: str = "Exception"
    doc: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSignature:
    """What a task takes and gives."""

    parameters: tuple[Parameter, ...] = ()
    returns: Schema = field(default_factory=dict[str, Any])
    #: The return annotation as people read it; empty where there is none.
    return_annotation: str = ""
    definitions: Mapping[str, Schema] = field(default_factory=dict[str, Any])
    doc: str = ""
    errors: tuple[DeclaredError, ...] = ()
    #: Why not to use it any more, and what instead; empty while it may be used.
    deprecated: str = ""
    #: The version of the service, as it says itself.
    version: str = ""
    #: What could not be described and why, as sentences.
    gaps: tuple[str, ...] = ()
    #: False where only names and annotations are known (a Celery worker of 5.6 or older, without
    #: celery_rpc.worker): kinds and defaults are guesses, and arguments are not checked by them.
    exact: bool = True
