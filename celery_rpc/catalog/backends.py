"""Backends: where workers send results, and what to do where callers would not get them."""

from shlex import quote

from celery_rpc.settings.broker_url import masked

#: The backend that replies to the caller.
RPC = "rpc://"

#: TaskSpec.backend -> where its results are.
PLACES = {
    "redis": "in Redis",
    "db": "in a database",
    "django-db": "in Django's database",
    "django-cache": "in Django's cache",
    "cache": "in a cache",
    "filesystem": "in files",
}

#: TaskSpec.backend -> what else than AsyncResult and chords is lost by a switch to rpc://.
LOST = {
    "django-db": "no TaskResult is written any more: nothing in the admin, nothing to query",
    "django-cache": "nothing is written to Django's cache any more",
    "db": "nothing is written to its tables any more",
}


def heard(backend: str) -> str:
    """Return the kind of backend whose results a client with this setting hears."""
    return "rpc" if backend == RPC else "redis"


def mismatch(task: str, queue: str, kind: str, backend: str) -> str:
    """Return why a task's results do not come to this client, and the ways to change that.

    Args:
        kind: the backend of its workers, as TaskSpec.backend has it.
        backend: the client's own setting.
    """
    ways = [*remedies(queue, kind, backend), "send it without a reply: options(ignore_result=True)"]
    return "\n- ".join([f"{problem(task, kind, backend)}. Nothing was sent; either", *ways])


def problem(tasks: str, kind: str, backend: str) -> str:
    """Return where the results of tasks go, and where this client listens, as a clause."""
    if kind == "disabled":
        where = "keep no results"
    elif kind == "rpc":
        where = "send results to the caller"
    else:
        where = f"keep results {PLACES.get(kind, f'in {kind!r}')}"
    return f"the workers of {tasks} {where}, this client listens to {masked(backend)!r}"


def remedies(queue: str, kind: str, backend: str) -> list[str]:
    """Return the ways to get replies, those that change least first."""
    if kind == "rpc":
        return ["listen to replies: leave connect(backend=...) out"]
    found: list[str] = []
    if kind == "redis":
        found.append(
            "listen to it: connect(backend=...), or --backend, with the redis:// URL of the workers"
        )
    elif backend != RPC:
        found.append("leave connect(backend=...) out, and do one of the following")
    own = f"{queue}-rpc"
    return [
        *found,
        "let the service answer as well, which leaves its results as they are: "
        f"celery_rpc.worker.expose(app) in its code, or {exposing(queue)}",
        f"start a stock worker beside it, and call {own!r}: {replying(own)}",
        f"let all its results be replies: {replying(queue)}; then {taken_away(kind)}",
    ]


def exposing(queue: str) -> str:
    """Return the command that starts a worker which answers, without a line of code."""
    return f"celery -A APP worker -Q {quote(queue)} --include celery_rpc.worker.auto"


def replying(queue: str) -> str:
    """Return the command that starts a stock worker whose only results are replies."""
    return f"celery -A APP --result-backend rpc:// worker -Q {quote(queue)}"


def taken_away(kind: str) -> str:
    """Return what a service would miss without its own backend."""
    if kind == "disabled":
        return "its tasks can start no chords, as before"
    own = "AsyncResult(id) and chords of its own find no results"
    return f"{LOST[kind]}, and {own}" if kind in LOST else own
