"""What is written of a task, as far as it is known."""

from celery_rpc.catalog.model import TaskSpec
from celery_rpc.catalog.signature import Parameter
from celery_rpc.codegen.stubs import stub_of
from tests.unit.generated import INT, pointed, task, written
from tests.unit.hostile import catalog_of


def test_a_task_of_which_only_the_name_is_known_takes_anything() -> None:
    stub = written(TaskSpec("billing.add"))
    assert "def __call__(self, *args: Any, **kwargs: Any) -> Any:" in stub.text
    assert [gap.reason for gap in stub.report.gaps] == ["only its name is known"]


def test_what_is_guessed_leaves_room_for_what_nobody_annotated() -> None:
    guessed = task(
        "billing.add",
        Parameter(name="x", annotation="int", default="..."),
        Parameter(name="when", annotation="datetime", default="..."),
        return_annotation="int",
        exact=False,
    )
    stub = written(guessed)
    whole = "(self, *args: Any, x: int = ..., when: Any = ..., **kwargs: Any)"
    assert f"def __call__{whole} -> int:" in stub.text
    assert f"def s{whole} -> Flex[Any, int]: ..." in stub.text
    assert [(gap.where, gap.reason) for gap in stub.report.gaps] == [
        ("when", "annotated as datetime")
    ]


def test_equal_catalogs_give_equal_text_in_any_order() -> None:
    one, other = [pointed("a"), pointed("b")], [pointed("b"), pointed("a")]
    assert (
        stub_of(catalog_of({"q": one, "r": other})).text
        == stub_of(catalog_of({"r": one, "q": other})).text
    )


def test_lines_are_wrapped() -> None:
    names = [f"a_parameter_of_some_length_{number}" for number in range(8)]
    stub = written(task("f", *(Parameter(name=name, schema=INT) for name in names)))
    assert all(len(line) <= 100 for line in stub.text.splitlines() if "tuple[" not in line)
