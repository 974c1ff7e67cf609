"""A pytest plugin: the module that `SIPCORE_FAULT` names is imported with that fault in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from mutation.faults import planted

__all__ = ["VARIABLE", "Planter"]

VARIABLE = "SIPCORE_FAULT"
"""`MODULE:NUMBER`, as `sipcore.profiles:7`."""


class Planter(MetaPathFinder, Loader):
    """Finds one module, and compiles it with one fault."""

    def __init__(self, module: str, number: int) -> None:
        self._module = module
        self._number = number

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            spec.loader = self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        path = Path(str(module.__file__))
        code = compile(planted(path.read_text("utf-8"), self._number), str(path), "exec")
        exec(code, module.__dict__)


if _fault := os.environ.get(VARIABLE):
    _name, _, _index = _fault.partition(":")
    assert _name not in sys.modules, f"{_name} was imported before it could be broken"
    sys.meta_path.insert(0, Planter(_name, int(_index)))
