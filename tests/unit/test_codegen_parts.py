"""A large registry is split into modules, which come and go with the queues."""

import ast
from pathlib import Path

import pytest

from celery_rpc.catalog.model import TaskSpec
from celery_rpc.catalog.signature import Parameter, TaskSignature
from celery_rpc.codegen.parts import MAX_TASKS, registry_of
from celery_rpc.codegen.writer import Folder
from celery_rpc.errors import CodegenError
from tests.unit.hostile import catalog_of

REGISTRY = "celery_rpc_registry"
POINT = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}


def task(name: str) -> TaskSpec:
    """Return a task that takes a model, and gives it back."""
    point = {"$ref": "#/$defs/Point"}
    parameters = (Parameter(name="point", schema=point),)
    signature = TaskSignature(parameters=parameters, returns=point, definitions={"Point": POINT})
    return TaskSpec(name, signature=signature)


def texts(*queues: str, max_tasks: int = 0) -> dict[str, str]:
    catalog = catalog_of({queue: [task(f"{queue}.move")] for queue in queues})
    parts = registry_of(catalog, max_tasks=max_tasks)
    return {f"{name}.pyi": written.text for name, written in parts.items()}


def imports_of(text: str) -> set[str]:
    nodes = [each for each in ast.parse(text).body if isinstance(each, ast.ImportFrom)]
    return {str(each.module) for each in nodes if str(each.module).startswith(REGISTRY)}


def test_one_task_too_many_splits_the_registry() -> None:
    tasks = [task(f"billing.move_{number}") for number in range(MAX_TASKS)]
    assert list(registry_of(catalog_of({"billing": tasks}))) == [REGISTRY]
    more = registry_of(catalog_of({"billing": tasks, "mail": [task("mail.move")]}))
    assert list(more) == [
        f"{REGISTRY}_models",
        f"{REGISTRY}_billing",
        f"{REGISTRY}_mail",
        REGISTRY,
    ]


def test_queues_import_models_and_nothing_of_one_another() -> None:
    files = texts("billing", "mail")
    assert imports_of(files[f"{REGISTRY}_billing.pyi"]) == {f"{REGISTRY}_models"}
    assert imports_of(files[f"{REGISTRY}_models.pyi"]) == set()
    assert "import Point as Point" in files[f"{REGISTRY}.pyi"]


def test_equal_models_of_several_queues_are_one_class() -> None:
    assert texts("billing", "mail")[f"{REGISTRY}_models.pyi"].count("class ") == 1


def test_split_registries_of_equal_catalogs_are_equal() -> None:
    assert list(texts("a", "b").items()) == list(texts("b", "a").items())


def test_module_names_that_differ_in_nothing_but_case_or_length_are_made_different() -> None:
    long = "q" * 200
    names = list(texts("Mail", "mail", "mail2", "models", long, f"{long}r"))
    stems = [name.removeprefix(f"{REGISTRY}_").removesuffix(".pyi") for name in names[:-1]]
    cut = "q" * 80
    assert stems == ["models", "mail", "mail2", "mail22", "models2", cut, f"{cut}2"]


def test_modules_of_queues_that_are_gone_are_left_over(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(texts("billing", "mail"))
    small = texts("billing", max_tasks=1)
    left = folder.left_over(small)
    assert left == [f"{REGISTRY}_{each}.pyi" for each in ("billing", "mail", "models")]
    folder.write(small)
    folder.remove(left)
    assert [path.name for path in tmp_path.iterdir()] == [f"{REGISTRY}.pyi"]


def test_a_left_over_module_is_a_difference(tmp_path: Path) -> None:
    folder, files = Folder(tmp_path), texts("billing")
    folder.write(texts("billing", "mail"))
    gone = dict.fromkeys(folder.left_over(files))
    assert any(line.startswith("-class _Mail(") for line in folder.differences({**files, **gone}))


def test_S05_left_over_modules_of_others_or_changed_ones_stay(tmp_path: Path) -> None:
    folder, files = Folder(tmp_path), texts("billing")
    folder.write(texts("billing", "mail"))
    (tmp_path / f"{REGISTRY}_mine.pyi").write_text("x: int\n")
    (tmp_path / f"{REGISTRY}_linked.pyi").symlink_to(tmp_path / f"{REGISTRY}_mail.pyi")
    assert folder.left_over(files) == [f"{REGISTRY}_mail.pyi"]
    with (tmp_path / f"{REGISTRY}_mail.pyi").open("a") as file:
        file.write("mine: int\n")
    with pytest.raises(CodegenError, match="was changed since it was written"):
        folder.left_over(files)
