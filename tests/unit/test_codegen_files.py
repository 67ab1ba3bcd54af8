"""Files, wheels and settings: what is written, and what is left alone."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from celery_rpc.codegen.checker_settings import missing_settings
from celery_rpc.codegen.wheel import wheel_of
from celery_rpc.codegen.writer import Folder
from celery_rpc.errors import CodegenError

FILES = {"celery_rpc_registry.pyi": "x: int\n"}
NAME = "celery_rpc_registry.pyi"


def test_a_file_is_written_once_and_then_left_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "stubs")
    assert folder.write(FILES) == [tmp_path / "stubs" / NAME]
    assert folder.write(FILES) == []
    assert list(folder.differences(FILES)) == []
    assert any("+y: str" in line for line in folder.differences({NAME: "y: str\n"}))
    assert folder.write({NAME: "y: str\n"}) == [tmp_path / "stubs" / NAME]
    assert [path.name for path in folder.path.iterdir()] == [NAME]


def test_line_ends_of_another_system_are_no_change(tmp_path: Path) -> None:
    folder, target = Folder(tmp_path), tmp_path / NAME
    folder.write(FILES)
    target.write_bytes(target.read_bytes().replace(b"\n", b"\r\n"))
    assert folder.write(FILES) == []
    assert list(folder.differences(FILES)) == []


@pytest.mark.parametrize("change", ["mine = 1\n", None])
def test_S05_a_file_of_others_or_a_changed_one_is_not_written_over(
    tmp_path: Path, change: str | None
) -> None:
    folder, target = Folder(tmp_path), tmp_path / NAME
    if change is None:
        folder.write(FILES)
        change = target.read_text() + "# mine\n"
    target.write_text(change)
    with pytest.raises(CodegenError, match="move it away, or delete it"):
        folder.write({"other_module.pyi": "z: int\n", **FILES})
    assert target.read_text() == change
    assert not (tmp_path / "other_module.pyi").exists()


def test_wheels_of_equal_files_are_equal(tmp_path: Path) -> None:
    name, content = wheel_of("Acme.Stubs", FILES)
    assert (name, content) == wheel_of("Acme.Stubs", dict(FILES))
    assert name.startswith("acme_stubs-0+")
    (tmp_path / name).write_bytes(content)
    with ZipFile(tmp_path / name) as archive:
        assert archive.namelist()[0] == "celery_rpc_registry-stubs/__init__.pyi"
    with pytest.raises(CodegenError):
        wheel_of("../evil", FILES)


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({}, {"mypy", "pyright"}),
        ({"pyproject.toml": '[tool.mypy]\nmypy_path = "stubs"\n'}, {"pyright"}),
        ({"pyproject.toml": '[tool.mypy]\nmypy_path = ["src", "stubs"]\n'}, {"pyright"}),
        ({"mypy.ini": "[mypy]\nmypy_path = src:./stubs\n"}, {"pyright"}),
        ({"mypy.ini": "[mypy]\n", "pyrightconfig.json": '{"stubPath": "stubs"}'}, {"mypy"}),
        ({"pyproject.toml": '[tool.pyright]\nstubPath = "stubs/"\n'}, {"mypy"}),
    ],
)
def test_lines_that_a_project_lacks_are_named(
    tmp_path: Path, files: dict[str, str], missing: set[str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert missing_settings(tmp_path, "stubs").keys() == missing
