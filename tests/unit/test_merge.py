"""What workers say, put together: differences in signatures are skew, not noise."""

from typing import Any

from celery_rpc.catalog.model import Level, QueueReport, TaskSpec, WorkerReport
from celery_rpc.catalog.signature import Parameter, TaskSignature
from celery_rpc.catalog.signature_json import digest, to_json
from celery_rpc.discovery.guessed import untold
from celery_rpc.discovery.merge import merge
from celery_rpc.discovery.published import Signatures, guessed, read_annotations
from celery_rpc.discovery.worker_answers import to_task

OLD = TaskSignature(parameters=(Parameter(name="x"),), version="1")
NEW = TaskSignature(parameters=(Parameter(name="y"),), version="2")


def report(node: str, *specs: TaskSpec) -> WorkerReport:
    queue = QueueReport("q", "q", "direct", "q")
    return WorkerReport(node, [queue], {spec.name: spec for spec in specs})


def told(signatures: Signatures, *known: TaskSignature) -> None:
    for signature in known:
        text = to_json(signature)
        assert not signatures.note([f"t [rpc_schema={text}]"], {"t": digest(text)})


def spec(signature: TaskSignature | None = None, **fields: Any) -> TaskSpec:
    return TaskSpec("t", digest=digest(signature) if signature else None, **fields)


def test_a_digest_is_read_beside_the_backend() -> None:
    backend = "<celery.backends.rpc.RPCBackend object at 0x7f>"
    text = f"a b [x] [backend={backend} ignore_result=True rpc_digest=0123456789abcdef]"
    assert to_task(text) == TaskSpec("a b [x]", "rpc", True, "0123456789abcdef")
    assert to_task("t [rpc_digest=0123456789abcdef]").digest == "0123456789abcdef"
    answering = f"t [backend={backend} ignore_result=True rpc_answers=True rpc_digest=x]"
    assert to_task(answering) == TaskSpec("t", "rpc", True, answers=True)
    assert to_task("t [rpc_answers=True]") == TaskSpec("t", answers=True)
    assert to_task("t [ignore_result=False rpc_digest=evil]") == TaskSpec("t")


def test_djangos_backends_are_told_from_celerys() -> None:
    backend = "<django_celery_results.backends.database.DatabaseBackend object at 0x7f>"
    assert to_task(f"t [backend={backend}]").backend == "django-db"
    backend = "<celery.backends.database.DatabaseBackend object at 0x7f>"
    assert to_task(f"t [backend={backend}]").backend == "db"


def test_a_task_is_answered_where_each_of_its_workers_would() -> None:
    answering = spec(backend="db", answers=True, ignore_result=True)
    for others, answered in {
        (): True,
        (spec(backend="disabled", answers=True),): True,
        (spec(backend="rpc"),): True,
        (spec(backend="rpc", ignore_result=True),): False,
        (spec(backend="db"),): False,
    }.items():
        reports = [report(f"n{n}", each) for n, each in enumerate((answering, answering, *others))]
        assert merge(reports, signed=Signatures().of)["q"].tasks["t"].answers == answered


def test_two_signatures_of_one_name_are_skew() -> None:
    reports = [report("a", spec(OLD)), report("b", spec(NEW)), report("c", spec(NEW))]
    for known in ((), (OLD,), (OLD, NEW)):
        signatures = Signatures()
        told(signatures, *known)
        catalog = merge(reports, signed=signatures.of)
        assert catalog["q"].skewed == {
            "t": {digest(OLD): frozenset("a"), digest(NEW): frozenset("bc")}
        }
        assert catalog["q"].tasks["t"].digest == digest(NEW), "most workers say so"
        assert catalog.diagnostics == ()


def test_what_does_not_bind_callers_is_no_skew() -> None:
    other = TaskSignature(parameters=OLD.parameters, version="2", doc="New words.")
    signatures = Signatures()
    told(signatures, OLD, other)
    reports = [report("a", spec(OLD)), report("b", spec(other)), report("c", spec())]
    service = merge(reports, signed=signatures.of)["q"]
    assert not service.skewed
    assert service.tasks["t"].level is Level.SCHEMA


def test_workers_that_answer_elsewhere_are_said() -> None:
    reports = [report("a", spec(backend="rpc")), report("b", spec(backend="redis"))]
    catalog = merge(reports)
    assert len(catalog.diagnostics) == 1
    assert "workers differ on t" in catalog.diagnostics[0]


def test_one_worker_is_asked_for_each_digest_and_only_once() -> None:
    signatures, asked = Signatures(), set[str]()
    reports = [report("a", spec(OLD)), report("b", spec(OLD)), report("c", spec(NEW))]
    expected = {"a": {"t": digest(OLD)}, "c": {"t": digest(NEW)}}
    assert signatures.missing(reports, asked) == expected
    assert signatures.missing(reports, asked) == {}
    told(signatures, OLD)
    assert signatures.missing(reports, set()) == {"c": {"t": digest(NEW)}}


def test_a_signature_that_is_not_what_its_digest_says_is_refused_for_good() -> None:
    signatures = Signatures()
    doubts = signatures.note(["t [rpc_schema={}]", "u [rpc_schema=5]", 7], {"t": "0" * 16})
    assert len(doubts) == 1
    assert "its digest is" in doubts[0]
    assert signatures.settled("0" * 16)
    assert signatures.missing([report("a", TaskSpec("t", digest="0" * 16))], set()) == {}


def test_annotations_are_read_and_never_evaluated() -> None:
    shown = "{'x': <class 'int'>, 'y': 'list[Order]', 'z': dict[str, typing.Any], 'e': <enum 'E'>}"
    assert read_annotations(shown) == {
        "x": "int", "y": "list[Order]", "z": "dict[str, typing.Any]", "e": "E",
    }  # fmt: skip
    for odd in ("", "5", "{", "exit()", "{1: 2}", "[" * 5_000, "{'x': " + "(" * 500, "\x00"):
        assert read_annotations(odd) == {}
    assert guessed("{}", "") is None
    assert guessed("{'a b': int}", "") is None
    signature = guessed("{'self': T, 'x': int, 'return': str}", "Do.")
    assert signature is not None
    assert not signature.exact
    assert [each.name for each in signature.parameters] == ["x"]
    assert (signature.returns, signature.doc) == ({"type": "string"}, "Do.")


def test_tasks_without_a_digest_are_asked_of_as_few_workers_as_they_are_on() -> None:
    reports = [report("a", spec(OLD)), report("b", spec()), report("c", spec())]
    assert untold(reports) == {"b": ["q"]}
