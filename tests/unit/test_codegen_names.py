"""Remote names become attributes and classes, each its own."""

import pytest

from celery_rpc.catalog.model import TaskSpec
from celery_rpc.codegen.names import Namer, attribute_of, camel
from tests.unit.generated import class_of, written


@pytest.mark.parametrize(
    ("name", "reserved", "attribute"),
    [
        ("add", (), "add"),
        ("class", (), "class_"),
        ("errors", ("errors",), "errors_"),
        ("list", (), "list"),
        ("_hidden", (), None),
        ("größe", (), None),
        ("with-dash", (), None),
        ("", (), None),
    ],
)
def test_names_become_attributes(
    name: str, reserved: tuple[str, ...], attribute: str | None
) -> None:
    assert attribute_of(name, reserved) == attribute


def test_classes_get_names_of_their_own() -> None:
    namer = Namer(["Any"])
    assert [namer.take(each) for each in ("Any", "Money", "Money", "print", "None")] == [
        "Any2",
        "Money",
        "Money2",
        "print2",
        "None2",
    ]
    assert camel("billing", "add_all-2") == "BillingAddAll2"
    assert camel("--") == "T"


def test_attributes_that_lead_to_two_tasks_are_reported() -> None:
    stub = written(TaskSpec("billing.class"), TaskSpec("billing.class_"), TaskSpec("billing.odd-1"))
    reasons = {
        gap.task: gap.reason for gap in stub.report.gaps if "name is known" not in gap.reason
    }
    assert reasons.keys() == {"billing.class_", "billing.odd-1"}
    assert "'class' has the attribute 'class_'" in reasons["billing.class_"]
    assert class_of(stub.text, "_Billing").count("class_") == 1


def test_a_task_may_have_tasks_below_its_name() -> None:
    stub = written(TaskSpec("report"), TaskSpec("report.delay"), TaskSpec("report.send"))
    lines = class_of(stub.text, "_BillingReport")
    assert "delay_: _BillingReportDelay" in lines
    assert "send: _BillingReportSend" in lines
