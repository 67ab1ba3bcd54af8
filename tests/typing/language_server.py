"""LanguageServer: what an editor is told, at the cursor, by pyright's language server."""

import json
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any, Self

#: Where the cursor is in a program.
CURSOR = "|"


class LanguageServer:
    """Speaks the Language Server Protocol over pipes, as editors do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ids = count(1)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pyright.langserver", "--stdio"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        root = self.folder.as_uri()
        self.request(
            "initialize",
            processId=None,
            rootUri=root,
            capabilities={"workspace": {"configuration": True}},
            workspaceFolders=[{"uri": root, "name": "project"}],
        )
        self.notify("initialized")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, method: str, program: str) -> Any:
        """Open a program whose cursor is marked, and ask what is to be known there."""
        before, _, after = program.partition(CURSOR)
        path = self.folder / f"program_{next(self._ids)}.py"
        path.write_text(before + after)
        document = {"uri": path.as_uri()}
        self.notify(
            "textDocument/didOpen",
            textDocument={**document, "languageId": "python", "version": 1, "text": before + after},
        )
        lines = before.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        return self.request(f"textDocument/{method}", textDocument=document, position=position)

    def request(self, method: str, **params: Any) -> Any:
        """Ask, and wait for the answer."""
        number = next(self._ids)
        self._write({"id": number, "method": method, "params": params})
        while True:
            message = self._read()
            if message.get("id") == number and "method" not in message:
                return message["result"]
            self._answer(message)

    def notify(self, method: str, **params: Any) -> None:
        self._write({"method": method, "params": params})

    def _answer(self, message: Any) -> None:
        """Answer what the server asks meanwhile; what it only tells is dropped."""
        if "id" not in message:
            return
        result: Any = None
        if message["method"] == "workspace/configuration":
            wanted = message["params"]["items"]
            result = [{"pythonPath": sys.executable} for _ in wanted]
        self._write({"id": message["id"], "result": result})

    def _write(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._process.stdin.flush()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        size = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        assert size, "the language server has ended"
        return json.loads(self._process.stdout.read(size))
