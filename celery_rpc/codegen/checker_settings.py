"""Settings: whether a project tells its type checkers where the stubs are."""

import re
import tomllib
from pathlib import Path
from typing import Any


def missing_settings(project: Path, folder: str) -> dict[str, str]:
    """Return the lines that a project lacks: ``mypy`` or ``pyright`` -> the line, and its place.

    Args:
        project: the folder in which the type checkers are started.
        folder: where the stubs are, as seen from there.
    """
    lines: dict[str, str] = {}
    tool = pyproject(project)
    if not has_mypy(project, tool, folder):
        lines["mypy"] = f'[tool.mypy] in pyproject.toml: mypy_path = "{folder}"'
    if not has_pyright(project, tool, folder):
        lines["pyright"] = f'[tool.pyright] in pyproject.toml: stubPath = "{folder}"'
    return lines


def pyproject(project: Path) -> dict[str, Any]:
    """Return the [tool] table; empty where there is none that can be read."""
    try:
        tool: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text())["tool"]
    except (OSError, ValueError, KeyError):
        return {}
    return tool


def has_mypy(project: Path, tool: dict[str, Any], folder: str) -> bool:
    """Return whether mypy looks into the folder; the first file that it reads decides."""
    for name in ("mypy.ini", ".mypy.ini"):
        text = text_of(project / name)
        if text:
            found = re.search(r"^mypy_path\s*[=:]\s*(.*)$", text, re.MULTILINE)
            return found is not None and names(re.split(r"[,:\s]+", found[1]), folder)
    said = tool.get("mypy", {}).get("mypy_path", "")
    return names(re.split(r"[,:]", said) if isinstance(said, str) else said, folder)


def has_pyright(project: Path, tool: dict[str, Any], folder: str) -> bool:
    """Return whether pyright looks into the folder; ``typings`` it looks into anyway."""
    text = text_of(project / "pyrightconfig.json")
    if text:
        found = re.search(r'"stubPath"\s*:\s*"([^"]*)"', text)
        said = found[1] if found else "typings"
    else:
        said = str(tool.get("pyright", {}).get("stubPath", "typings"))
    return names([said], folder)


def names(places: Any, folder: str) -> bool:
    """Return whether one of these is the folder."""
    wanted = Path(folder)
    cleaned = (str(each).replace("$MYPY_CONFIG_FILE_DIR/", "").strip() for each in places)
    return any(each and Path(each) == wanted for each in cleaned)


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
