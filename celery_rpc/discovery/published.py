"""Signatures: what services publish of their tasks, asked for once a digest, and kept."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from celery_rpc.catalog.model import TaskSpec, WorkerReport
from celery_rpc.catalog.signature import DeclaredError, Parameter, Schema, TaskSignature
from celery_rpc.catalog.signature_json import BadSignature, checked, digest, from_json

#: Characters of one worker's answer that are read, and of all signatures that a client keeps.
MAX_ANSWER = 4 * 1024 * 1024
MAX_KEPT = 64 * 1024 * 1024

#: Tasks that one worker publishes -> the digest of each.
Wanted = Mapping[str, str]

#: Annotations by name that say enough without the service's own modules.
PLAIN: dict[str, Schema] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "list": {"type": "array"},
    "dict": {"type": "object"},
}

#: How a class shows itself within a dict of annotations.
_CLASS = re.compile(r"<\w+ '([\w.<>]+)'>")

GUESSED = (
    "published by no one: from the annotations and docstring that a worker of Celery 5.6 or older "
    "tells, without kinds and defaults"
)


class Signatures:
    """The signatures that are known, by digest; those that are guessed, by queue and task."""

    def __init__(self) -> None:
        self.known: dict[str, TaskSignature] = {}
        #: Digest -> why what was said to be behind it is not used.
        self.refused: dict[str, str] = {}
        self.guessed: dict[tuple[str, str], TaskSignature] = {}
        #: The errors that they declare, by dotted name.
        self.errors: dict[str, DeclaredError] = {}
        self._room = MAX_KEPT

    def settled(self, digest: str) -> bool:
        """Return whether asking for it would tell nothing new."""
        return digest in self.known or digest in self.refused

    def of(self, queue: str, spec: TaskSpec) -> TaskSpec:
        """Return a task with its signature, where that is known."""
        if spec.signature is not None and spec.signature.exact:
            return spec
        if spec.digest is not None:
            found = self.known.get(spec.digest)
        else:
            found = self.guessed.get((queue, spec.name))
        return spec if found is None else replace(spec, signature=found)

    def missing(self, reports: Iterable[WorkerReport], asked: set[str]) -> dict[str, Wanted]:
        """Choose one worker for each digest that is not known, and note that it is asked."""
        chosen: dict[str, dict[str, str]] = {}
        for report in reports:
            for spec in (report.tasks or {}).values():
                told = spec.digest
                if told is not None and told not in asked and not self.settled(told):
                    asked.add(told)
                    chosen.setdefault(report.node, {})[spec.name] = told
        return {**chosen}

    def note(self, answer: Any, wanted: Wanted) -> list[str]:
        """Note what one worker says to rpc_schema; return what was refused, and why."""
        doubts: list[str] = []
        left = MAX_ANSWER
        for name, text in entries(answer, "rpc_schema"):
            told = wanted.get(name)
            if told is None or self.settled(told):
                continue
            left -= len(text)
            if left < 0 or len(text) > self._room:
                doubts.append(f"the signatures are more than {MAX_ANSWER:,} characters")
                break
            try:
                self.known[told] = signature = self._read(told, text)
                self.learn(signature)
            except BadSignature as error:
                self.refused[told] = str(error)
                doubts.append(f"the signature of {name} is not used: {error}")
        return doubts

    def _read(self, told: str, text: str) -> TaskSignature:
        if digest(text) != told:
            raise BadSignature(f"its digest is {digest(text)}, not {told}")
        self._room -= len(text)
        return from_json(text)

    def learn(self, signature: TaskSignature) -> None:
        """Note the errors that a signature declares."""
        for error in signature.errors:
            self.errors[f"{error.module}.{error.name}"] = error
            # What Celery wraps because it cannot be pickled goes by the last part of its name.
            self.errors.setdefault(f"{error.module}.{error.name.rpartition('.')[2]}", error)

    def guess(self, queues: Iterable[str], annotations: Any, docs: Any) -> None:
        """Note what one worker says to __annotations__ and to __doc__."""
        said = dict(entries(annotations, "__annotations__"))
        told = dict(entries(docs, "__doc__"))
        for name in said.keys() | told.keys():
            signature = guessed(said.get(name, ""), told.get(name, ""))
            if signature is not None:
                for queue in queues:
                    self.guessed[queue, name] = signature


def entries(answer: Any, item: str) -> Sequence[tuple[str, str]]:
    """Read what a worker says to ``registered`` about one item: the task, and the item as text."""
    found: list[tuple[str, str]] = []
    for each in answer if isinstance(answer, list) else []:
        if isinstance(each, str) and each.endswith("]"):
            name, separator, text = each[:-1].partition(f" [{item}=")
            if separator:
                found.append((name, text))
    return found


def guessed(annotations: str, doc: str) -> TaskSignature | None:
    """Return what annotations and a docstring tell; None where that is nothing."""
    types = read_annotations(annotations)
    returned = types.pop("return", "")
    types.pop("self", None)
    if not (types or returned or doc):
        return None
    signature = TaskSignature(
        parameters=tuple(
            # Whether there is a default is not known, so that none can be said to be missing.
            Parameter(name=name, annotation=text, schema=PLAIN.get(text, {}), default="...")
            for name, text in types.items()
        ),
        returns=PLAIN.get(returned, {}),
        return_annotation=returned,
        doc=doc[:8_192],
        gaps=(GUESSED,),
        exact=False,
    )
    try:
        return checked(signature)
    except BadSignature:
        return None


def read_annotations(text: str) -> dict[str, str]:
    """Read the repr of a dict of annotations: name -> type as text; nothing is evaluated."""
    try:
        tree = ast.parse(_CLASS.sub(r"\1", text[:10_000]), mode="eval").body
        return dict(_annotations(tree)) if isinstance(tree, ast.Dict) else {}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}


def _annotations(tree: ast.Dict) -> Iterator[tuple[str, str]]:
    for key, value in zip(tree.keys, tree.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
            shown = str(value.value) if is_text else ast.unparse(value)  # type: ignore[attr-defined]
            yield key.value, shown[:200]
