"""Fuzz tests.parsers with atheris: python -m tests.fuzz NAME, and options of libFuzzer."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: What is well formed, from which atheris comes to what is not quite: it finds no JSON by itself.
SEEDS = {
    "reply": (
        b'{"task_id": "a", "status": "SUCCESS", '
        b'"result": {"__type__": "decimal", "__value__": "1"}}',
        b'{"task_id": "a", "status": "FAILURE", "result": {"exc_type": "E", "exc_message": [1], '
        b'"exc_module": "m"}, "traceback": "t", "date_done": "2026-01-01T00:00:00+00:00"}',
    ),
    "item": (
        b'{"body": "e30=", "content-type": "application/json", "headers": {}, '
        b'"properties": {"correlation_id": "a", "body_encoding": "base64"}}',
        b'{"body": "{}", "content-type": "application/json", "content-encoding": "utf-8", '
        b'"headers": {"ticket": "a-ticket", "compression": null}, "properties": {}}',
    ),
    "fields": (
        b'["{\\"task_id\\": \\"a\\", \\"status\\": \\"SUCCESS\\"}", "application/json", '
        b'"utf-8", {"correlation_id": "a"}, {"ticket": null, "compression": null}]',
    ),
    "answers": (b"*2\r\n$3\r\nabc\r\n:1\r\n+OK\r\n-ERR no\r\n$-1\r\n*-1\r\n",),
    "deliveries": (
        b"\x01\x00\x01\x00\x00\x00\x12\x00\x3c\x00\x3c\x01c" + bytes(10) + b"\x01q\xce"
        b"\x02\x00\x01\x00\x00\x00\x0e\x00\x3c" + bytes(9) + b"\x01\x00\x00\xce"
        b"\x03\x00\x01\x00\x00\x00\x01x\xce",
    ),
    "report": (
        b'{"n@h": [{"name": "q", "exchange": {"name": "q", "type": "direct"}, '
        b'"routing_key": "q", "alias": null, "queue_arguments": null}]}',
        b'{"n@h": ["a.b", "a.c [backend=rpc ignore_result=False]"]}',
    ),
    "catalog": (
        b'{"celery_rpc_catalog": 1, "services": {"q": {"exchange": "e", "exchange_type": '
        b'"direct", "routing_key": "k", "arguments": {"x": [1]}, "tasks": {"q.t": {"backend": '
        b'"rpc", "ignore_result": false, "level": "name"}}}}}',
        b'{"celery_rpc_catalog": 1, "services": {"q": {"tasks": {"q.t": {"level": "schema", '
        b'"signature": {"parameters": [{"name": "a", "schema": {"type": "integer"}}], '
        b'"version": "2.1"}}}}}}',
    ),
}


#: Where the inputs are kept that reach further, for the next run; and what crashed a parser.
FOLDER = Path(__file__).parent.parent / ".fuzz"


def instrumented(name: str, atheris: Any) -> Callable[[bytes], bool]:
    """Import a parser so that atheris sees which of our branches are taken."""
    with atheris.instrument_imports(include=["celery_rpc", "tests.parsers"]):
        from tests.parsers import TARGETS
    return TARGETS[name]


def prepared(name: str) -> tuple[str, ...]:
    """Write the seeds of a parser, and their words for a dictionary; give libFuzzer's options."""
    corpus, words = FOLDER / name, FOLDER / f"{name}.dict"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    texts = {text for seed in SEEDS[name] for text in re.findall(rb'"(\w+)"', seed)}
    texts.add(b"")  # libFuzzer takes no empty dictionary
    words.write_bytes(b"".join(b'"\\"%b\\""\n' % text for text in sorted(texts)))
    return (str(corpus), f"-dict={words}", f"-artifact_prefix={FOLDER}/")


def main(name: str, *options: str) -> None:
    """Fuzz until something is found, or -max_total_time is over; then exit."""
    if name not in SEEDS:
        raise SystemExit(f"{name!r} is no parser; there are {', '.join(SEEDS)}")
    try:
        import atheris
    except ImportError:
        raise SystemExit("skipped: atheris is not installed (pip install atheris)") from None
    atheris.Setup([sys.argv[0], *prepared(name), *options], instrumented(name, atheris))
    atheris.Fuzz()


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["reply"]))
