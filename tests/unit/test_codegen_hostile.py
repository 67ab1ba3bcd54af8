"""Whatever a catalog holds, what is generated is data about types and nothing else."""

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from celery_rpc.catalog.model import Catalog, TaskSpec
from celery_rpc.catalog.signature import DeclaredError, Parameter, TaskSignature
from celery_rpc.codegen.models import Kind
from celery_rpc.codegen.parts import registry_of
from celery_rpc.codegen.stubs import Written, module_of, stub_of
from celery_rpc.codegen.syntax import strangers
from celery_rpc.codegen.writer import MARK, Folder
from celery_rpc.errors import CodegenError
from tests.profiles import examples
from tests.unit.hostile import ATTACKS, catalog_of, catalogs, model_kinds

#: Bytes of a file's name, less those of a draft of it.
LONGEST_FILE = 200


def assert_harmless(written: Written) -> None:
    """Hold a generated module to what it may be."""
    text = written.text
    tree = ast.parse(text)
    assert list(strangers(tree)) == []
    assert ast.unparse(tree) == ast.unparse(written.tree), "what is read is what was meant"
    assert all(ch == "\n" or ch.isprintable() for ch in text)
    compile(text, "generated", "exec", dont_inherit=True)


def assert_parts_are_harmless(catalog: Catalog) -> None:
    """Hold each module of a split registry to what it may be, and to be a file of its own."""
    parts = registry_of(catalog, max_tasks=0)
    for written in parts.values():
        assert_harmless(written)
    files = {Folder(Path("stubs")).target(f"{name}.pyi") for name in parts}
    assert len({str(file).lower() for file in files}) == len(parts)
    assert all(len(file.name) < LONGEST_FILE for file in files)


@settings(max_examples=examples(400), suppress_health_check=list(HealthCheck))
@given(catalogs, model_kinds)
def test_S04_what_is_made_of_any_catalog_is_harmless(catalog: Catalog, models: Kind) -> None:
    assert_harmless(stub_of(catalog, models=models))
    assert_harmless(module_of(catalog, name="Hostile", models=models))
    assert_parts_are_harmless(catalog)


def everywhere(attack: str) -> Catalog:
    """Put a text into every place that a catalog has for one."""
    schema = {
        "type": "object",
        "title": attack,
        "description": attack,
        "properties": {attack: {"type": "string", "default": attack}, "x": {"const": attack}},
        "required": [attack],
    }
    signature = TaskSignature(
        parameters=(
            Parameter(name="x", schema={"$ref": "#/$defs/M"}, annotation=attack, default=attack),
            Parameter(name="y", annotation=attack, default=repr(attack)),
        ),
        returns={"enum": [attack]},
        return_annotation=attack,
        definitions={"M": schema, "E": {"type": "string", "enum": [attack]}},
        doc=attack,
        errors=(DeclaredError(name="Refused", module="m", doc=attack),),
        deprecated=attack,
        version=attack,
        gaps=(attack,),
    )
    inexact = TaskSignature(
        parameters=(Parameter(name="x", annotation=attack),), return_annotation=attack, exact=False
    )
    named = TaskSignature(parameters=(Parameter(name=attack),))
    specs = [
        TaskSpec(name="safe.untouched", signature=signature),
        TaskSpec(name="safe.inexact", signature=inexact),
        TaskSpec(name="safe.named", signature=named),
        TaskSpec(name=f"safe.{attack}", signature=signature),
        TaskSpec(name=attack),
    ]
    return catalog_of({"safe": specs, attack: specs})


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: ascii(attack)[:40])
@pytest.mark.parametrize("models", ["typeddict", "dataclass", "pydantic"])
def test_S04_known_attacks_stay_text(attack: str, models: Kind) -> None:
    catalog = everywhere(attack)
    written = stub_of(catalog, models=models)
    assert_harmless(written)
    assert_harmless(module_of(catalog, name="Hostile", models=models))
    assert_parts_are_harmless(catalog)
    assert "class _SafeUntouched(" in written.text


@pytest.mark.parametrize("name", [*ATTACKS, "x.exe", "sub/x.py", "~/x.py", "x.py\x00"])
def test_S05_names_lead_nowhere_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = Folder(tmp_path / "out")
    with pytest.raises(CodegenError):
        folder.write({name: "x = 1\n"})
    assert list(tmp_path.rglob("*")) == []


def test_S05_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.pyi"
    secret.write_text(f"{MARK}\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "celery_rpc_registry.pyi").symlink_to(secret)
    with pytest.raises(CodegenError, match="no regular file"):
        Folder(tmp_path / "out").write({"celery_rpc_registry.pyi": "x = 1\n"})
    assert secret.read_text() == f"{MARK}\n"
