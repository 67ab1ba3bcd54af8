"""Saved: Catalog <-> a JSON file that people can read, compare and keep under version control."""

import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery_rpc.catalog import signature_json
from celery_rpc.catalog.address import Address
from celery_rpc.catalog.foreign import (
    DIGEST,
    MAX_TASKS,
    BadReport,
    check_arguments,
    checked_name,
)
from celery_rpc.catalog.model import Catalog, Service, TaskSpec
from celery_rpc.errors import ConfigurationError
from celery_rpc.support.atomic_write import replace
from celery_rpc.support.near import did_you_mean, near

#: The first key of a saved catalog, and the version of its format.
MARK = "celery_rpc_catalog"
VERSION = 1

#: Limits for a file: bytes, and services.
MAX_SIZE = 64 * 1024 * 1024
MAX_SERVICES = 10_000

SERVICE_KEYS = ("arguments", "exchange", "exchange_type", "routing_key", "tasks")
TASK_KEYS = ("answers", "backend", "digest", "ignore_result", "level", "signature")


class Misplaced(ValueError):
    """Something that a saved catalog cannot hold, and where it stands."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}" if where else what)


# ----- writing


def to_json(catalog: Catalog) -> str:
    """Write what callers depend on: equal contracts give equal text, a line for each fact.

    Left out is what changes from one moment to the next: workers, times, doubts; and Celery's own
    tasks.
    """
    plain = {
        MARK: VERSION,
        "services": {name: _plain_service(catalog[name]) for name in sorted(catalog)},
    }
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _plain_service(service: Service) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "exchange": service.address.exchange,
        "exchange_type": service.exchange_type,
        "routing_key": service.address.routing_key,
        "tasks": {name: _plain_task(task) for name, task in service.public.items()},
    }
    return {**plain, "arguments": service.arguments} if service.arguments else plain


def _plain_task(task: TaskSpec) -> dict[str, Any]:
    plain: dict[str, Any] = {"ignore_result": task.ignore_result, "level": str(task.level)}
    if task.answers:
        plain["answers"] = True
    if task.backend is not None:
        plain["backend"] = task.backend
    if task.digest is not None:
        plain["digest"] = task.digest
    if task.signature is not None:
        plain["signature"] = json.loads(signature_json.to_json(task.signature))
    return plain


def save(catalog: Catalog, path: str | Path) -> bool:
    """Write a catalog to a file, whole or not at all; gives False where it said so already.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    target = Path(path)
    # A lone surrogate, in some queue's arguments, is written as JSON writes it.
    data = to_json(catalog).encode(errors="backslashreplace")
    try:
        with suppress(FileNotFoundError):
            if target.read_bytes() == data:
                return False
        replace(target.resolve(), data)
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror}") from error
    return True


# ----- reading


def load(path: str | Path) -> Catalog:
    """Read a saved catalog.

    Raises:
        ConfigurationError: there is no such file, or it is no saved catalog; says what is wrong.
    """
    try:
        with Path(path).open("rb") as file:
            return from_json(file.read(MAX_SIZE + 1), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def from_json(data: bytes | str, source: str = "the catalog") -> Catalog:
    """Read a saved catalog from whoever wrote it. Nothing in it is evaluated or imported.

    Args:
        source: what errors call it.

    Raises:
        ConfigurationError: it is none; names where and what is wrong.
    """
    try:
        if len(data) > MAX_SIZE:
            raise Misplaced("", f"it is larger than {MAX_SIZE // 1024 // 1024} MiB")
        return _to_catalog(_to_plain(data))
    except Misplaced as error:
        raise ConfigurationError(f"{source} is no saved catalog: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{source} is no JSON: {error}") from error


def _to_plain(data: bytes | str) -> Any:
    return json.loads(data, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Misplaced("", f"the key {name[:80]!r} stands twice in one object")
        found[name] = value
    return found


def _refuse(constant: str) -> Any:
    raise Misplaced("", f"{constant} is no JSON")


def _finite(digits: str) -> float:
    """Refuse what would be written as Infinity, and could not be read again."""
    number = float(digits)
    if math.isinf(number):
        raise Misplaced("", f"{digits[:40]} is too large a number")
    return number


def _to_catalog(plain: Any) -> Catalog:
    if not isinstance(plain, dict) or MARK not in plain:
        raise Misplaced("", f"it has no {MARK!r}; celery-rpc catalog save writes one")
    if plain[MARK] != VERSION or isinstance(plain[MARK], bool):
        raise Misplaced(MARK, f"is {plain[MARK]!r:.40}; this celery-rpc reads {VERSION}")
    _check_keys(plain, (MARK, "services"), "")
    services = _object(plain.get("services"), "services", MAX_SERVICES)
    return Catalog(
        services={
            name: _to_service(name, services[name], f"services[{name!r}]")
            for name in _names(services, "queue", "services")
        }
    )


def _to_service(queue: str, plain: Any, where: str) -> Service:
    fields = _object(plain, where)
    _check_keys(fields, SERVICE_KEYS, where)
    tasks = _object(fields.get("tasks"), f"{where}.tasks", MAX_TASKS)
    arguments = fields.get("arguments")
    if arguments is not None:
        _check_arguments(_object(arguments, f"{where}.arguments"), f"{where}.arguments")
    return Service(
        queue=queue,
        address=Address(
            queue,
            _text(fields, "exchange", where) or "",
            _text(fields, "routing_key", where) or "",
        ),
        workers=frozenset(),
        tasks={
            name: _to_task(name, tasks[name], f"{where}.tasks[{name!r}]")
            for name in _names(tasks, "task", f"{where}.tasks")
        },
        arguments=arguments or None,
        exchange_type=_text(fields, "exchange_type", where) or "direct",
    )


def _to_task(name: str, plain: Any, where: str) -> TaskSpec:
    fields = _object(plain, where)
    _check_keys(fields, TASK_KEYS, where)
    digest = _text(fields, "digest", where)
    if digest is not None and not DIGEST.fullmatch(digest):
        raise Misplaced(f"{where}.digest", f"is no digest: {digest[:40]!r}")
    task = TaskSpec(
        name=name,
        backend=_text(fields, "backend", where),
        ignore_result=_truth(fields, "ignore_result", where),
        digest=digest,
        signature=_to_signature(fields["signature"], where) if "signature" in fields else None,
        answers=_truth(fields, "answers", where),
    )
    level = fields.get("level", task.level)
    if level != task.level:
        raise Misplaced(
            f"{where}.level", f"is {level!r:.40}, but what stands there is {task.level}"
        )
    return task


def _to_signature(plain: Any, where: str) -> Any:
    try:
        return signature_json.from_json(json.dumps(plain))
    except signature_json.BadSignature as error:
        raise Misplaced(f"{where}.signature", str(error)) from error


# ----- what stands where


def _object(value: Any, where: str, limit: int | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        kind = "is missing" if value is None else f"is a {type(value).__name__}"
        raise Misplaced(where, f"{kind}; it must be an object")
    if limit is not None and len(value) > limit:
        raise Misplaced(where, f"has {len(value):,} entries; the limit is {limit:,}")
    return value


def _text(fields: Mapping[str, Any], name: str, where: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > 255 or not (value.isprintable() or not value):
        raise Misplaced(f"{where}.{name}", "must be a text of at most 255 printable characters")
    return value


def _truth(fields: Mapping[str, Any], name: str, where: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise Misplaced(f"{where}.{name}", "must be true or false")
    return value


def _names(fields: Mapping[str, Any], what: str, where: str) -> Iterable[str]:
    for name in sorted(fields):
        try:
            yield checked_name(name, what)
        except BadReport as error:
            raise Misplaced(where, str(error)) from error


def _check_keys(fields: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for name in fields:
        if name not in known:
            hint = did_you_mean(near(name, known, 1)) or f" (known: {', '.join(known)})"
            raise Misplaced(where, f"{name[:80]!r} is unknown{hint}")


def _check_arguments(value: Any, where: str) -> None:
    try:
        check_arguments(value)
    except BadReport as error:
        raise Misplaced(where, str(error)) from error
