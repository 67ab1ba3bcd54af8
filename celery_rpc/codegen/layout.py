"""Layout: a syntax tree of a generated module -> text, at most 100 characters wide if it can be."""

import ast
from collections.abc import Iterable, Iterator

WIDTH = 100
INDENT = "    "


def text_of(module: ast.Module) -> str:
    """Write a module."""
    writer = Layout()
    return "\n".join(writer.block(module.body, "")) + "\n"


class Layout:
    """Writes statements as lines; what several functions share is written once."""

    def __init__(self) -> None:
        self._written: dict[int, str] = {}

    def block(self, statements: Iterable[ast.stmt], indent: str) -> Iterator[str]:
        """Yield the lines of statements, with an empty one around each class."""
        previous: ast.stmt | None = None
        for statement in statements:
            if previous is not None and separated(previous, statement):
                yield ""
            yield from self.lines(statement, indent)
            previous = statement

    def lines(self, statement: ast.stmt, indent: str) -> Iterator[str]:
        match statement:
            case ast.ClassDef():
                yield from self._class(statement, indent)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from self._function(statement, indent)
            case ast.ImportFrom():
                yield from self._import(statement)
            case ast.Expr(value=ast.Constant(value=str() as text)):
                yield indent + quoted(text)
            case _:
                yield indent + self.text(statement)

    def text(self, node: ast.AST) -> str:
        """Write a piece; the same piece is not written twice."""
        found = self._written.get(id(node))
        if found is None:
            found = self._written[id(node)] = ast.unparse(node)
        return found

    def _class(self, node: ast.ClassDef, indent: str) -> Iterator[str]:
        yield from (f"{indent}@{self.text(each)}" for each in node.decorator_list)
        bases = ", ".join(map(self.text, node.bases))
        head = f"{indent}class {node.name}{f'({bases})' if bases else ''}:"
        if is_dots(node.body[0]):
            yield f"{head} ..."
        else:
            yield head
            yield from self.block(node.body, indent + INDENT)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, indent: str) -> Iterator[str]:
        yield from (f"{indent}@{self.text(each)}" for each in node.decorator_list)
        word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
        head = f"{indent}{word} {node.name}("
        returns = self.text(node.returns) if node.returns is not None else "None"
        arguments = list(self._arguments(node.args))
        tail = f") -> {returns}:{' ...' if is_dots(node.body[0]) else ''}"
        line = f"{head}{', '.join(arguments)}{tail}"
        if len(line) <= WIDTH:
            yield line
        else:
            yield head
            yield from (f"{indent}{INDENT}{each}," for each in arguments)
            yield indent + tail
        if not is_dots(node.body[0]):
            yield from self.lines(node.body[0], indent + INDENT)

    def _arguments(self, arguments: ast.arguments) -> Iterator[str]:
        """Write each parameter on a line of its own."""
        positional = [*arguments.posonlyargs, *arguments.args]
        required = len(positional) - len(arguments.defaults)
        for number, each in enumerate(positional):
            default = arguments.defaults[number - required] if number >= required else None
            yield self._argument(each, default)
            if number + 1 == len(arguments.posonlyargs):
                yield "/"
        if arguments.vararg is not None:
            yield f"*{self.text(arguments.vararg)}"
        elif arguments.kwonlyargs:
            yield "*"
        for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            yield self._argument(each, default)
        if arguments.kwarg is not None:
            yield f"**{self.text(arguments.kwarg)}"

    def _argument(self, argument: ast.arg, default: ast.expr | None) -> str:
        text = self.text(argument)
        return text if default is None else f"{text} = {self.text(default)}"

    def _import(self, node: ast.ImportFrom) -> Iterator[str]:
        line = self.text(node)
        if len(line) <= WIDTH:
            yield line
            return
        yield f"from {node.module} import ("
        yield from (f"{INDENT}{self.text(alias)}," for alias in node.names)
        yield ")"


def quoted(text: str) -> str:
    """Write a docstring; Python itself says what of it has to be escaped."""
    node = ast.ClassDef("_", [], [], [ast.Expr(ast.Constant(text))], [])
    return ast.unparse(node).split("\n", 1)[1].removeprefix(INDENT)


def is_dots(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and (
        isinstance(statement.value, ast.Constant) and statement.value.value is ...
    )


def separated(previous: ast.stmt, statement: ast.stmt) -> bool:
    """Return whether an empty line belongs between two statements."""
    kinds = {type(previous), type(statement)}
    if ast.ClassDef in kinds:
        return True
    if isinstance(previous, ast.Expr):  # a docstring
        return True
    return ast.ImportFrom in kinds and len(kinds) > 1
