"""The plan of the house: who may import whom, what the core never touches, and which names are public."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
CORE = TOP / "sipcore"
DRIVERS = {"sipcore_trio": "trio", "sipcore_asyncio": "asyncio", "sipcore_sync": "sync"}

ROOMS = (
    "errors values timers syntax auth profiles config commands events flows transaction network exchange registration "
    "inbound registrar endpoint roster agent server client redact explain settings asterisk native replay testing"
).split()
"""Lowest first; a room imports only rooms that stand before it."""

UPWARD = {("errors", "values")}
"""Names needed for annotations only, under TYPE_CHECKING."""

FORBIDDEN = frozenset(
    "asyncio ctypes email fcntl http io logging mmap multiprocessing os pathlib platform queue sched secrets select "
    "selectors shutil signal socket socketserver ssl subprocess tempfile threading time urllib uuid".split()
)
"""What does I/O, has a clock, entropy, an environment or threads. The core imports none of it."""

PURE = FORBIDDEN - frozenset("io os pathlib time".split())
"""The same without what a bare interpreter has loaded by itself; nothing of it may come along with the core."""


def modules(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*.py") if "__pycache__" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> frozenset[tuple[str, bool]]:
    """The full names that a module imports, and whether only a type checker sees the import."""
    return frozenset(_walk(ast.parse(path.read_text(encoding="utf-8")), typing_only=False))


def _walk(node: ast.AST, *, typing_only: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, typing_only) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are absolute"
            assert child.module is not None
            yield child.module, typing_only
            # `from sipcore import values` names a room, too.
            yield from ((f"{child.module}.{alias.name}", typing_only) for alias in child.names)
        elif isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            yield from _walk(child, typing_only=True)
        else:
            yield from _walk(child, typing_only=typing_only)


def core_modules(*, testing: bool = False) -> list[Path]:
    return [path for path in modules(CORE) if testing or room_of(path) != "testing"]


def dotted(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_every_room_is_on_the_plan() -> None:
    rooms = {room_of(path) for path in core_modules(testing=True)} - {"__init__"}
    assert rooms <= set(ROOMS)


def test_rooms_import_only_rooms_that_stand_before_them() -> None:
    wrong = []
    for path in core_modules(testing=True):
        room = room_of(path)
        if room == "__init__":
            continue
        for name, typing_only in imports(path):
            first, _, rest = name.partition(".")
            if first != "sipcore":
                continue
            other = rest.partition(".")[0]
            if other in ROOMS and other != room and ROOMS.index(other) > ROOMS.index(room):
                if (room, other) not in UPWARD or not typing_only:
                    wrong.append(f"{path.relative_to(TOP)} imports {name}")
            elif other not in ROOMS and other:
                wrong.append(f"{path.relative_to(TOP)} imports {name} from the package, not from its room")
    assert wrong == []


def test_the_core_imports_the_standard_library_only() -> None:
    allowed = (set(sys.stdlib_module_names) - FORBIDDEN) | {"sipcore"}
    wrong = [
        f"{path.relative_to(TOP)} imports {name}"
        for path in core_modules()
        for name, _ in imports(path)
        if name.partition(".")[0] not in allowed
    ]
    assert wrong == []


def test_nothing_imports_testing() -> None:
    wrong = [
        f"{path.relative_to(TOP)} imports {name}"
        for path in [*core_modules(), *(path for package in driver_packages() for path in modules(package))]
        for name, _ in imports(path)
        if name.startswith("sipcore.testing")
    ]
    assert wrong == []


def test_a_fresh_process_with_the_core_has_no_way_out() -> None:
    """Also what the standard library brings in by itself counts: email.message, for one, would bring socket."""
    names = [f"sipcore.{dotted(path, CORE)}".rstrip(".") for path in core_modules()]
    loaded = loaded_by([*names]) - loaded_by([])
    assert "sipcore.errors" in loaded
    assert {name for name in loaded if name.partition(".")[0] in PURE} == set()


def test_the_fresh_process_test_can_fail() -> None:
    loaded = loaded_by(["http.client"]) - loaded_by([])
    assert "socket" in loaded & PURE


def loaded_by(names: list[str]) -> set[str]:
    program = f"import sys; sys.path.insert(0, {str(TOP)!r})\n"
    program += "".join(f"import {name}\n" for name in names)
    program += "print(*sys.modules)"
    # -I and -S: neither the user's environment nor a .pth file of site-packages may add modules.
    result = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


# --- drivers ---------------------------------------------------------------------------------------------------------


def driver_packages() -> list[Path]:
    return [TOP / "drivers" / folder / package for package, folder in DRIVERS.items()]


def test_drivers_do_not_shadow_what_they_are_named_after() -> None:
    """`drivers/trio/__init__.py` would make `import trio` find our folder."""
    assert sorted(TOP.glob("drivers/__init__.py")) == []
    assert sorted(TOP.glob("drivers/*/__init__.py")) == []
    assert not (TOP / "tests" / "trio").exists()
    assert not (TOP / "tests" / "asyncio").exists()


@pytest.mark.parametrize("package", DRIVERS)
def test_a_driver_imports_the_core_and_its_own_library(package: str) -> None:
    # What the three have in common, sockets without waiting, lives with the simplest of them.
    own = {"sipcore", "sipcore_sync", package, *sys.stdlib_module_names}
    own |= {"sipcore_trio": {"trio", "rich", "h11", "prometheus_client"}}.get(package, set())
    wrong = [
        f"{path.relative_to(TOP)} imports {name}"
        for path in modules(TOP / "drivers" / DRIVERS[package] / package)
        for name, _ in imports(path)
        if name.partition(".")[0] not in own or (package != "sipcore_asyncio" and name.partition(".")[0] == "asyncio")
    ]
    assert wrong == []


STATUS_CODES = frozenset({100, 180, 200, 202, 301, 302, 400, 401, 403, 404, 405, 407, 408, 423, 480, 481, 494, 503})
HEADERS = frozenset(
    "via from to call-id cseq contact expires max-forwards authorization proxy-authorization www-authenticate "
    "proxy-authenticate retry-after min-expires content-length register".split()
)


@pytest.mark.parametrize("package", DRIVERS)
def test_a_driver_decides_nothing(package: str) -> None:
    """No status code and no header name in a driver; the daemon, which prints them, is no driver."""
    folder = TOP / "drivers" / DRIVERS[package] / package
    wrong = []
    for path in modules(folder):
        if "daemon" in path.relative_to(folder).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Constant):
                continue
            value = node.value
            if (type(value) is int and value in STATUS_CODES) or (
                isinstance(value, str | bytes) and _text(value).rstrip(":").lower() in HEADERS
            ):
                wrong.append(f"{path.relative_to(TOP)}:{node.lineno}: {value!r}")
    assert wrong == []


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


# --- names -----------------------------------------------------------------------------------------------------------


def packages() -> list[Path]:
    return [CORE, *driver_packages()]


@pytest.mark.parametrize("package", packages(), ids=lambda path: path.name)
def test_packages_are_typed_and_documented(package: Path) -> None:
    assert (package / "py.typed").is_file()
    for path in modules(package):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path.relative_to(TOP)} has no docstring"
        assert "from __future__ import annotations" in path.read_text(encoding="utf-8"), path.relative_to(TOP)


@pytest.mark.parametrize("package", packages(), ids=lambda path: path.name)
def test_every_module_says_what_it_exports(package: Path) -> None:
    for path in modules(package):
        if path.name == "__main__.py":
            continue
        name = dotted(path, package.parent)
        module = importlib.import_module(name)
        exported = getattr(module, "__all__", None)
        assert exported is not None, f"{name} has no __all__"
        assert len(exported) == len(set(exported)), f"{name}: a name stands twice in __all__"
        missing = [text for text in exported if not hasattr(module, text)]
        assert missing == [], f"{name}: in __all__ but not in the module"


def test_public_names_are_those_of_the_list() -> None:
    """Adding or losing a public name is a decision: it shows in tests/public_names.txt."""
    written = (TOP / "tests" / "public_names.txt").read_text(encoding="ascii").split()
    found = []
    # The rooms that are public by themselves: docs/syntax.md, docs/replay.md.
    for name in (*[package.name for package in packages()], "sipcore.replay", "sipcore.syntax"):
        found += [f"{name}.{public}" for public in importlib.import_module(name).__all__]
    assert sorted(found) == written
