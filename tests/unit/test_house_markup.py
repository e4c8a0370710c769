"""Nothing that comes from outside is parsed as markup: a lint of our own, since neither ruff nor mypy sees it.

Textual parses a plain `str` as markup in many places: `[@click=app.quit]` in a container's name would then be a link that
runs, `[/nope]` would end the program, `[ERROR]` would vanish. Allowed there: a literal, `Content` or `Text`, `markup=False`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "debugtui"

#: Call -> which positional arguments and which keywords Textual (or Rich) parses.
PARSED: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "Static": ((0,), ("content",)),
    "Label": ((0,), ("content",)),
    "Button": ((0,), ("label",)),
    "Checkbox": ((0,), ("label",)),
    "RadioButton": ((0,), ("label",)),
    "Collapsible": ((), ("title",)),
    "Placeholder": ((0,), ("label",)),
    "Option": ((0,), ("prompt",)),
    "Selection": ((0,), ("prompt",)),
    "Tab": ((0,), ("label",)),
    "TabPane": ((0,), ("title",)),
    "Tree": ((0,), ("label",)),
    "add_leaf": ((0,), ("label",)),
    "add_column": ((0,), ("label",)),
    "add_row": (tuple(range(20)), ("label",)),
    "Hit": ((1,), ("match_display", "help")),
    "DiscoveryHit": ((0,), ("display", "help")),
    "notify": ((0,), ("message",)),
    "update": ((0,), ("content",)),
    "with_tooltip": ((0,), ("tooltip",)),
    "from_markup": ((0,), ("markup", "text")),
    "from_ansi": ((0,), ("text",)),
}
ATTRIBUTES = {"border_title", "border_subtitle", "tooltip", "label", "prompt"}
PLAIN = {"Content", "Text", "assemble", "styled", "highlight", "from_markup"}
#: Attributes that have an `update` and are no widgets.
NO_WIDGETS = {"_book"}

SCOPES: dict[ast.AST, tuple[ast.AST, ast.Module]] = {}


def name_of(node: ast.expr | None) -> str:
    """Return the last part of a dotted name, or of the called name; "" for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name.rpartition(".")[2]
        case ast.Call(func=func):
            return name_of(func)
    return ""


@dataclass
class Lint:
    """The lint of one module; `functions` are those of all modules, by name."""

    tree: ast.Module
    functions: Mapping[str, list[ast.FunctionDef | ast.AsyncFunctionDef]]

    def faults(self) -> Iterator[int]:
        """Yield the line of everything that might be parsed."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield from (given.lineno for given in self._given(node) if not self.plain(given))
            elif isinstance(node, ast.Assign):
                shown = any(isinstance(target, ast.Attribute) and target.attr in ATTRIBUTES for target in node.targets)
                if shown and not self.plain(node.value):
                    yield node.lineno

    def _given(self, call: ast.Call) -> Iterator[ast.expr]:
        name = name_of(call.func)
        off = {
            keyword.arg for keyword in call.keywords if isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        }
        if "markup" in off:
            return
        positions, keywords = PARSED.get(name, ((), ()))
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if name == "update" and name_of(owner) in NO_WIDGETS:
            return
        yield from (call.args[position] for position in positions if position < len(call.args))
        yield from (keyword.value for keyword in call.keywords if keyword.arg in (*keywords, "tooltip"))

    def plain(self, node: ast.expr, index: int | None = None, depth: int = 0) -> bool:
        """Say whether a value is never parsed; `index`: that element of a tuple."""
        if depth > 8:
            return False
        match node:
            case ast.Constant():
                return True
            case ast.Tuple(elts=elements) if index is not None:
                return self.plain(elements[index], None, depth + 1)
            case ast.IfExp(body=one, orelse=other):
                return self.plain(one, index, depth + 1) and self.plain(other, index, depth + 1)
            case ast.BoolOp(values=values):
                return all(self.plain(value, index, depth + 1) for value in values)
            case ast.Call(func=ast.Name(id="cast"), args=[_, value]):
                return self.plain(value, index, depth + 1)
            case ast.Call():
                return name_of(node.func) in PLAIN or self._returns_plain(name_of(node.func), index, depth + 1)
            case ast.Name(id=name):
                # Its own function's variable, else the module's.
                within, module = SCOPES[node]
                verdicts = self._verdicts(within, name, index, depth + 1) or self._verdicts(module, name, index, depth + 1)
                return bool(verdicts) and all(verdicts)
            case ast.Attribute(attr=name):
                verdicts = self._verdicts(SCOPES[node][1], name, index, depth + 1)
                return bool(verdicts) and all(verdicts)
        return False

    def _returns_plain(self, name: str, index: int | None, depth: int) -> bool:
        functions = self.functions.get(name, [])
        return bool(functions) and all(
            name_of(function.returns) in PLAIN
            or all(
                node.value is not None and self.plain(node.value, index, depth)
                for node in ast.walk(function)
                if isinstance(node, ast.Return)
            )
            for function in functions
        )

    def _verdicts(self, scope: ast.AST, name: str, index: int | None, depth: int) -> list[bool]:
        """Judge every assignment to the name, and every parameter of it, in this function or module."""
        verdicts = []
        for node in ast.walk(scope):
            match node:
                case ast.arg(arg=given, annotation=annotation) if given == name:
                    verdicts.append(name_of(annotation) in PLAIN)
                case ast.AnnAssign(target=target, annotation=annotation) if name_of(target) == name:
                    verdicts.append(name_of(annotation) in PLAIN)
                case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                    verdicts += [self.plain(value, at, depth) for at, one in enumerate(targets) if name_of(one) == name]
                case ast.Assign(targets=targets, value=value) if name in map(name_of, targets):
                    verdicts.append(self.plain(value, index, depth))
                case ast.For(target=target) | ast.comprehension(target=target):
                    verdicts += [False for one in ast.walk(target) if isinstance(one, ast.Name) and one.id == name]
        return verdicts


def mark(node: ast.AST, scope: ast.AST, module: ast.Module) -> None:
    """Note of every node the function and the module in which it stands."""
    SCOPES[node] = (scope, module)
    inner = node if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else scope
    for child in ast.iter_child_nodes(node):
        mark(child, inner, module)


def lint(sources: Mapping[str, str]) -> list[str]:
    """Return `module:line` of everything in these modules that might be parsed as markup."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    functions: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = {}
    SCOPES.clear()
    for tree in trees.values():
        mark(tree, tree, tree)
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                functions.setdefault(node.name, []).append(node)
    return [f"{name}:{line}" for name, tree in trees.items() for line in Lint(tree, functions).faults()]


def test_nothing_from_outside_is_parsed_as_markup() -> None:
    paths = [*(PACKAGE / "widgets").rglob("*.py"), *(PACKAGE / "screens").rglob("*.py"), PACKAGE / "app.py"]
    assert lint({str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in paths}) == []


@pytest.mark.parametrize(
    "code",
    [
        "Static(f'{vm.name}')",
        "Static(vm.name)",
        "Static(str(vm))",
        "Static('VM ' + name)",
        "Static(name if name else 'none')",
        "Static(', '.join(names))",
        "Static(content=name)",
        "Static(name, markup=True)",
        "Label('%s' % name)",
        "self.notify(f'{error}', severity='error')",
        "table.add_row('a', name)",
        "pane.border_title = name",
        "pane.border_subtitle = f'{age} s'",
        "Button(label=name)",
        "yield_(Hit(score, text, run, help=Content(name)))",
        "DiscoveryHit(Content(name), run, help=name)",
        "Static('ok').with_tooltip(name)",
        "Static('ok', tooltip=name)",
        "Content.from_markup(f'[b]{name}[/b]')",
        "self.query_one('#says', Static).update(str(error))",
        "def f(words: str):\n    Static(words)",
        "def f():\n    words = f'{name}'\n    Static(words)",
        "for name in names:\n    Static(name)",
        "def g(text: str) -> str:\n    return text\nStatic(g('x'))",
    ],
)
def test_what_might_be_parsed_is_found(code: str) -> None:
    assert lint({"bad.py": code}), code


@pytest.mark.parametrize(
    "code",
    [
        "Static('a [b]literal[/b]')",
        "Static(Content(name))",
        "Static(name, markup=False)",
        "Static()",
        "Static(Content('a') if name else Text(name))",
        "Content.from_markup('[b]$name[/b]', name=name)",
        "def f(words: Content):\n    Static(words)",
        "words = Content.assemble(name)\nStatic(words)",
        "def says(text) -> Content:\n    ...\nStatic(says(name))",
        "def says(text):\n    return name, cast('str', Content(text))\na, b = says(n)\nDiscoveryHit(Content(a), run, help=b)",
        "self.notify(text, markup=False, title=name)",
        "def f():\n    words = []\ndef g():\n    words = Content(name)\n    Static(words)",
    ],
)
def test_what_is_plain_passes(code: str) -> None:
    assert lint({"good.py": code}) == []
