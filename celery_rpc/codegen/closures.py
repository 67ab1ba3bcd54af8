"""Closures: what the definitions of one signature are made of, each looked at once."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256

from celery_rpc.catalog.signature import Schema
from celery_rpc.catalog.signature_json import references
from celery_rpc.codegen.annotations import Allowance

#: A definition's name, and the digest of all that it is made of: equal ones are one model.
Key = tuple[str, str]


class Closures:
    """The definitions of one signature."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self.definitions = definitions
        #: What the annotations of the signature may still have.
        self.allowance = Allowance()
        self._references = {name: references(schema) for name, schema in definitions.items()}
        self._texts = {
            name: json.dumps([name, schema], sort_keys=True, default=repr).encode()
            for name, schema in definitions.items()
        }
        self._keys: dict[str, Key] = {}

    def reached(self, names: Iterable[str]) -> set[str]:
        """Return definitions with all those that they refer to."""
        found: set[str] = set()
        waiting = [*names]
        while waiting:
            each = waiting.pop()
            if each not in found and each in self.definitions:
                found.add(each)
                waiting += self._references[each]
        return found

    def key(self, name: str) -> Key:
        """Return by what a definition is told from others."""
        if name not in self._keys:
            reached = sorted(self.reached([name]))
            whole = sha256(b"\n".join(self._texts[each] for each in reached))
            self._keys[name] = name, whole.hexdigest()
        return self._keys[name]
