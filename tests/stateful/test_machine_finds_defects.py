"""Each law is broken on purpose: the machine notices, and its script shows it."""

from __future__ import annotations

import pytest

from tests.stateful import laws
from tests.stateful.defects import DEFECTS, Defect
from tests.stateful.laws import NotSettled, Raised, Violation
from tests.stateful.running import counter_example

EXAMPLES = 200
"""At most; most defects are found in the first ten."""


def run(script: str) -> BaseException | None:
    """What a script raises, in a namespace of its own."""
    try:
        exec(compile(script, "<counter-example>", "exec"), {"__name__": "counter_example"})
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.plant.__name__)
def test_a_planted_defect_is_found_and_its_script_shows_it(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Law: the machine finds it within `EXAMPLES` runs, and the script fails as the machine did; without the defect it
    does not."""
    with monkeypatch.context() as patch:
        defect.plant(patch)
        found = counter_example(examples=EXAMPLES, shrink=False)
        assert isinstance(found, defect.law), found
        shown = run(found.script)
        if isinstance(shown, AssertionError) and found.evidence:
            assert str(shown) == str(found)
        else:
            assert isinstance(found, Raised)
            assert type(shown) is type(found.__cause__)
    if defect.law is NotSettled:
        # The script answers what the defective agent asked; a sound one asks more, and waits for it.
        return
    mended = run(found.script)
    assert (type(mended), str(mended)) != (type(shown), str(shown))


def test_every_law_has_a_defect() -> None:
    known = {getattr(laws, name) for name in laws.__all__} - {Violation}
    assert {defect.law for defect in DEFECTS} == known
