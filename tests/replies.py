"""Replies as workers write them: ``python -m tests.replies`` writes tests/unit/replies.json anew.

Each is there once, with the releases of Celery and the pools that gave it. What differs between
them for no reason is left out: ids, times, and the frames of Celery's own files.
"""

import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import celery
from celery import Celery
from kombu.connection import Connection

from tests.servers import ValkeyBroker, Worker, celery_python, wait_until
from tests.servers.process import ROOT
from tests.servers.venvs import REQUIREMENTS
from tests.workers.failing import WAYS

FILE = ROOT / "tests" / "unit" / "replies.json"

#: Exceptions of Celery -> their arguments.
CELERYS: dict[str, list[Any]] = {
    "NotRegistered": ["failing.other"],
    "TaskRevokedError": ["expired"],
    "WorkerLostError": ["as asked"],
    "TimeLimitExceeded": [3],
    "Terminated": [9],
    "Reject": ["as asked"],
    "Ignore": ["as asked"],
    "Retry": ["as asked"],
    "ChordError": ["as asked"],
    "MaxRetriesExceededError": ["as asked"],
}

#: Case -> its task and arguments.
CASES: dict[str, tuple[str, list[Any]]] = {
    "unknown": ("failing.unknown", []),
    **{way: ("failing.fail", [way]) for way in WAYS},
    **{
        f"raised {name}": ("failing.raise_celerys", [name, *args])
        for name, args in CELERYS.items()
    },
    "raised NotRegistered of itself": (
        "failing.raise_celerys", ["NotRegistered", "failing.raise_celerys"],
    ),
    "gave up": ("failing.give_up", []),
    "limited": ("failing.limited", []),
    "limited softly": ("failing.limited_softly", []),
    "revoked": ("failing.sleep", [0]),
    "expired": ("failing.sleep", [0]),
    "terminated": ("failing.sleep", [60]),
    "forwarded unknown": ("failing.forward", ["failing", "failing.unknown"]),
    "forwarded declined": ("failing.forward", ["failing", "failing.fail", "declined"]),
}  # fmt: skip

#: What only pools of processes do, and what nobody answers.
PROCESSES = frozenset({"limited", "limited softly", "terminated", "exit", "base", "killed"})
SILENT = {
    "5.7": {"raised Ignore"},
    "": {"raised Ignore", "raised Reject", "exit", "base"},
}

FOREIGN_FRAMES = re.compile(r'  File "[^"]*/(?:site-packages|lib/python[0-9.]+)/.*\n(?:    .*\n)*')


def write() -> None:
    """Ask every release with every pool, and write down what they answer."""
    found: dict[str, dict[str, list[str]]] = {case: {} for case in CASES}
    with ValkeyBroker() as server:
        for version, python in releases():
            for pool in ("prefork", "threads", "solo"):
                for case, meta in answers(server.fresh_url(), version, python, pool):
                    found[case].setdefault(json.dumps(meta), []).append(f"{version} {pool}")
    lines = [
        json.dumps({"case": case, "from": sources, "meta": json.loads(meta)})
        for case, metas in found.items()
        for meta, sources in metas.items()
    ]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def releases() -> Iterator[tuple[str, str]]:
    """Yield each release of Celery with its interpreter."""
    for version in REQUIREMENTS:
        yield version, str(celery_python(version))
    yield celery.__version__.rpartition(".")[0], sys.executable


def answers(url: str, version: str, python: str, pool: Any) -> Iterator[tuple[str, Any]]:
    """Yield the first reply to each case from one worker."""
    app = Celery(broker=url, set_as_current=False)
    silent = SILENT.get(version, SILENT[""])
    options = {"pool": pool, "concurrency": 3, "python": python}
    with (
        Worker.start("tests.workers.failing", url, ["failing"], **options) as worker,
        Connection(url) as connection,
        connection.SimpleBuffer("replies", no_ack=True) as queue,
    ):
        worker.wait_ready()
        for case, (task, args) in CASES.items():
            alone = case.startswith("forwarded") and pool == "solo"
            if case in silent or alone or (case in PROCESSES and pool != "prefork"):
                continue
            task_id = str(uuid4())
            if case == "revoked":
                app.control.revoke(task_id, reply=True, timeout=1)
            expires = datetime(2020, 1, 1, tzinfo=UTC) if case == "expired" else None
            app.send_task(
                task, args, queue="failing", task_id=task_id, reply_to="replies", expires=expires
            )
            if case == "terminated":
                running = f"{task}[{task_id}] received"
                wait_until(lambda: running in worker.log, timeout=10, what="it to run")  # noqa: B023
                app.control.revoke(task_id, terminate=True)
            yield case, shortened(reply(queue, task_id), task_id)


def reply(queue: Any, task_id: str) -> dict[str, Any]:
    """Return the first reply to a task."""
    while True:
        meta: dict[str, Any] = queue.get(timeout=20).payload
        if meta["task_id"] == task_id:
            return meta


def shortened(meta: dict[str, Any], task_id: str) -> dict[str, Any]:
    """Leave out of a reply what is never the same."""
    kept = {name: value for name, value in meta.items() if name not in ("date_done", "children")}
    text = json.dumps(kept, sort_keys=True)
    text = re.sub(r"Job: \d+", "Job: 1", text.replace(task_id, "an-id"))
    found: dict[str, Any] = json.loads(text.replace(f"{ROOT}/", ""))
    if found["traceback"] is not None:
        found["traceback"] = FOREIGN_FRAMES.sub("", found["traceback"])
    return found


def captured() -> list[dict[str, Any]]:
    """Return what was written down."""
    found: list[dict[str, Any]] = json.loads(Path(FILE).read_text())
    return found


if __name__ == "__main__":
    write()
