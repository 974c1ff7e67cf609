"""`python -m fuzz TARGET [-- libFuzzer arguments]`, or `--smoke` without atheris."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from fuzz.seeds import seeds

__all__ = ["main", "smoke"]

NAMES: Final = (
    *("message", "framer", "challenge", "uri", "names"),
    *("pjsip", "wizard", "toml", "manager", "ami", "console"),
)

KEPT: Final = Path(".fuzz")
"""Below the working directory: inputs that reached something new, and those that broke an invariant."""

RUNS: Final = 2000
"""Damaged inputs of one smoke run; a second or so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz one target; gives 0 when time is up, and 2 when atheris is not there. What fails raises."""
    own, passed = _split(sys.argv[1:] if arguments is None else list(arguments))
    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description="Fuzz one target. What is found is kept in .fuzz/; `-- FILE` behind the target runs it again.",
    )
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=_positive, help="end after that time; until interrupted unless told")
    parser.add_argument("--smoke", action="store_true", help="a plain loop over seeds and damaged ones, no atheris")
    parser.add_argument("--runs", type=_positive, default=RUNS, help=f"damaged inputs of --smoke; {RUNS} unless told")
    parser.add_argument("--seed", type=int, default=1, help="of the damage of --smoke; 1 unless told")
    parser.usage = f"{parser.format_usage().removeprefix('usage: ').strip()} [-- libFuzzer arguments]"
    options = parser.parse_args(own)
    if options.smoke:
        print(f"{options.target}: {smoke(options.target, options.runs, options.seed)} inputs, nothing found")
        return 0
    try:
        atheris = importlib.import_module("atheris")
    except ImportError:
        print("fuzzing needs atheris: pip install '.[fuzz]', or use --smoke", file=sys.stderr)
        return 2
    limit = [f"-max_total_time={options.seconds}"] if options.seconds else []
    _fuzz(atheris, options.target, [*limit, *passed])
    return 0


def smoke(target: str, runs: int, seed: int) -> int:
    """Run the target over its seeds and `runs` damaged ones; how many inputs that were. The first fault raises."""
    test = importlib.import_module("fuzz.targets").TARGETS[target]
    known = [b"", *seeds(target)]
    random = Random(seed)
    for data in known:
        test(data)
    for _ in range(runs):
        damaged = bytearray(random.choice(known))
        for _ in range(random.randint(1, 4)):
            place = random.randrange(len(damaged) + 1)
            piece = random.choice((random.randbytes(2), random.choice(PIECES)))
            damaged[place : place + random.randint(0, 3)] = piece
        test(bytes(damaged))
    return len(known) + runs


PIECES: Final = (*[bytes([code]) for code in b'\r\n\0 \t:,;<>"\\=*%@[]/()?&#-9'], b"\r\n", b"\r\n\r\n", b"%41")
"""What SIP is separated by: inputs damaged by these get further than those damaged by chance alone."""


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Ours, and those behind the dashes."""
    place = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:place], arguments[place + 1 :]


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return number


def _fuzz(atheris: Any, target: str, arguments: list[str]) -> None:
    # Before anything of sipcore is imported: what is imported here tells the fuzzer which branches an input takes.
    with atheris.instrument_imports(include=["sipcore"]):
        test = importlib.import_module("fuzz.targets").TARGETS[target]
    corpus = KEPT / target
    corpus.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(target)):
        (corpus / f"seed-{number:03}").write_bytes(data)
    given = any(not argument.startswith("-") for argument in arguments)
    atheris.Setup(
        [f"fuzz {target}", f"-artifact_prefix={KEPT}/{target}-", *arguments, *([] if given else [str(corpus)])], test
    )
    atheris.Fuzz()


if __name__ == "__main__":
    raise SystemExit(main())
