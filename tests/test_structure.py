"""The structure of the repository: who may import whom, and what HACS expects."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
import json
from pathlib import Path
import subprocess

import pytest

CHECKOUT = Path(__file__).parents[1]
INTEGRATION = "custom_components.esp_weather"
COMPONENTS = "homeassistant.components"
RECORDER = f"{COMPONENTS}.recorder"

# The integration from the bottom to the top. A module imports from its own package and
# from lower rows, a module at the root also from its own row. What is in no row belongs
# to the last: the files that Home Assistant looks for, with what only they need.
LAYERS = (
    # Plain Python: parsing, checking and signing
    {"protocol"},
    {"const", "inactivity", "messages", "ota"},
    # What a config entry says
    {"config", "field"},
    # States with their own timestamps; independent of the stations
    {"recording"},
    # Takes authenticated reports; independent of HTTP
    {
        "data",
        "entity",
        "kind_change",
        "pairing",
        "refusals",
        "report_log",
        "station",
        "commands",
    },
    # Each uses stations; independent of each other
    {"dashboard", "history", "reporting", "windows"},
)
# Home Assistant's recorder is used here only.
RECORDER_USERS = {"history", "recording"}


def _files(*folders: str) -> list[Path]:
    """Return the Python files that are in these folders."""
    return sorted(
        path for folder in folders for path in (CHECKOUT / folder).rglob("*.py")
    )


def _module(path: Path) -> str:
    """Return the name of the module in a file."""
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> Iterator[tuple[str, str | None]]:
    """Return each module that a file imports, with the name that it takes from it."""
    package = path.relative_to(CHECKOUT).parent.parts
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *filter(None, [node.module])])
            yield from ((module, alias.name) for alias in node.names)


def _graph(*folders: str) -> dict[str, set[str]]:
    """Return the modules of these folders, each with those of them that it imports."""
    files = {_module(path): path for path in _files(*folders)}
    return {
        module: {
            found
            for imported, name in _imports(path)
            # The name may be a module, too: `from . import const`
            if (found := f"{imported}.{name}") in files or (found := imported) in files
        }
        for module, path in files.items()
    }


def _room(module: str) -> str:
    """Return the package or the module at the root that a module belongs to."""
    room, _, _ = module.removeprefix(INTEGRATION).lstrip(".").partition(".")
    return room or "__init__"


def _layer(room: str) -> int:
    """Return the number of a room's row."""
    return next(
        (number for number, layer in enumerate(LAYERS) if room in layer), len(LAYERS)
    )


def _is_package(room: str) -> bool:
    return (CHECKOUT / INTEGRATION.replace(".", "/") / room).is_dir()


def _may_import(importer: str, imported: str) -> bool:
    """Return whether a room of the integration may import another one."""
    above = _layer(importer) - _layer(imported)
    beside = not above and not _is_package(importer) and not _is_package(imported)
    return importer == imported or above > 0 or beside


def test_arrows() -> None:
    """Each module of the integration imports what is below it."""
    assert not [
        f"{module} imports {imported}: see LAYERS"
        for module, imports in _graph("custom_components").items()
        for imported in imports
        if not _may_import(_room(module), _room(imported))
    ]


@pytest.mark.parametrize("folder", ["custom_components", "tools", "tests"])
def test_no_circle(folder: str) -> None:
    """No module imports itself through others."""
    try:
        TopologicalSorter(_graph(folder)).prepare()
    except CycleError as err:
        pytest.fail(" imports ".join(reversed(err.args[1])))


def test_protocol_without_home_assistant() -> None:
    """protocol/ is independent of Home Assistant."""
    assert not [
        f"{path.name} imports {module}"
        for path in _files("custom_components/esp_weather/protocol")
        for module, _ in _imports(path)
        if module.partition(".")[0] == "homeassistant"
    ]


def test_recorder() -> None:
    """Only the packages made for it use Home Assistant's recorder."""
    assert not [
        f"{_module(path)} imports {module}"
        for path in _files("custom_components")
        for module, name in _imports(path)
        # `from homeassistant.components import recorder` counts, too.
        if f"{module}.{name}.".startswith(f"{RECORDER}.")
        and _room(_module(path)) not in RECORDER_USERS
    ]


@pytest.mark.parametrize(
    ("importers", "others"),
    [
        ("custom_components", ("tests", "tools", "firmware")),
        ("firmware", ("tests", "tools", "custom_components", "homeassistant")),
        ("tools", ("tests",)),
    ],
)
def test_folders(importers: str, others: tuple[str, ...]) -> None:
    """Neither the integration nor the tools import the tests."""
    assert not [
        f"{_module(path)} imports {module}"
        for path in _files(importers)
        for module, _ in _imports(path)
        if module.partition(".")[0] in others
    ]


def test_tests() -> None:
    """Tests share helpers through modules of their own, by public names."""
    assert not [
        f"{_module(path)} imports {name} of {module}"
        for path in _files("tests")
        for module, name in _imports(path)
        if module.partition(".")[0] == "tests"
        and (
            module.rpartition(".")[2].startswith(("test_", "conftest"))
            or (name or "").startswith(("_", "test_", "conftest"))
        )
    ]


def test_hacs() -> None:
    """HACS requires exactly one integration in a repository."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    files = [Path(line) for line in listed.stdout.splitlines()]

    assert [path for path in files if path.name == "manifest.json"] == [
        Path("custom_components/esp_weather/manifest.json")
    ]
    assert {
        path.parts[1] for path in files if path.parts[0] == "custom_components"
    } == {"esp_weather"}


def test_hassfest() -> None:
    """The manifest has the order and names the dependencies that hassfest expects."""
    folder = CHECKOUT / INTEGRATION.replace(".", "/")
    manifest = json.loads((folder / "manifest.json").read_text())
    keys = [*manifest]
    named = {*manifest["dependencies"], *manifest["after_dependencies"]}
    used = {
        (f"{module}.{name}" if module == COMPONENTS else module).split(".")[2]
        for path in _files(str(folder))
        for module, name in _imports(path)
        if module.startswith(COMPONENTS)
    }

    assert keys == ["domain", "name", *sorted(keys[2:])]
    # Platforms and what is always there may be used without being named.
    platforms = {path.stem for path in folder.glob("*.py")}
    assert used - named <= platforms | {"notify", "persistent_notification"}


def test_readers_of_entries() -> None:
    """Only config.py interprets the data and options of an entry.

    The dialogs write them, and diagnostics show them as they are.
    """
    writers = {"config", "config_flow", "diagnostics", "options_flow", "repairs"}
    found = set()
    for path in _files(INTEGRATION.replace(".", "/")):
        module = _module(path).removeprefix(f"{INTEGRATION}.")
        if module in writers or module == "windows.options":
            continue
        for node in ast.walk(ast.parse(path.read_bytes())):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in {"data", "options"}
                and ast.unparse(node.value).endswith(("config_entry", "entry"))
                and not ast.unparse(node.value).endswith("registry_entry")
            ):
                found.add(f"{module}: {ast.unparse(node)}")
    # The entity registry stores the kind that an entity was set up with.
    assert found <= {"kind_change: entry.options"}
