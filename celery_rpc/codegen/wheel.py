"""Wheel: generated modules -> an installable distribution; equal modules give equal bytes."""

import base64
import re
from collections.abc import Mapping
from hashlib import sha256
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from celery_rpc.codegen.writer import sealed
from celery_rpc.errors import CodegenError

#: What distributions may be called (PEP 508).
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,100}[A-Za-z0-9])?")

#: The oldest time that a zip file can hold.
EPOCH = (1980, 1, 1, 0, 0, 0)


def wheel_of(name: str, files: Mapping[str, str]) -> tuple[str, bytes]:
    """Return the name and the content of a wheel; its version is made of what it holds.

    A module without a run-time half becomes a stub package (PEP 561).

    Raises:
        CodegenError: no distribution can be called so.
    """
    if not NAME.fullmatch(name):
        raise CodegenError(f"{name!r:.100} is no name of a distribution")
    content = {path: sealed(text).encode() for path, text in packaged(files).items()}
    for path in [path for path in content if path.endswith("/__init__.py")]:
        content[path.replace("__init__.py", "py.typed")] = b""
    total = sha256(b"".join(path.encode() + data for path, data in sorted(content.items())))
    version = f"0+{total.hexdigest()[:12]}"
    stem = f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"
    folder = f"{stem}.dist-info"
    content[f"{folder}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        "Summary: Services as celery-rpc genstubs found them\nRequires-Dist: celery-rpc\n"
    ).encode()
    content[f"{folder}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: celery-rpc\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    content[f"{folder}/RECORD"] = record(content, f"{folder}/RECORD")
    return f"{stem}-py3-none-any.whl", zipped(content)


def packaged(files: Mapping[str, str]) -> dict[str, str]:
    """Return the files as those of packages: a stub alone goes into a package of stubs."""
    modules = {path.rpartition(".")[0] for path in files if path.endswith(".py")}
    found: dict[str, str] = {}
    for path, text in sorted(files.items()):
        stem, _, suffix = path.rpartition(".")
        found[f"{stem}{'' if stem in modules else '-stubs'}/__init__.{suffix}"] = text
    return found


def record(content: Mapping[str, bytes], own: str) -> bytes:
    """Return the list of all files with their hashes."""
    lines = [f"{path},sha256={hash_of(data)},{len(data)}" for path, data in sorted(content.items())]
    return "\n".join([*lines, f"{own},,", ""]).encode()


def hash_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()


def zipped(content: Mapping[str, bytes]) -> bytes:
    """Return a zip file that holds nothing of this moment or this machine."""
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for path, data in sorted(
            content.items(), key=lambda item: (".dist-info/" in item[0], item)
        ):
            info = ZipInfo(path, EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()
