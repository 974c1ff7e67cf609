"""The rules that tests/conftest.py enforces, each shown to bite."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
KNOWN = ["RFC3261-7.1-01", "RFC3261-7.1-02", "RFC3261-7.1-03", "RFC3261-7.1-04"]


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A test session of its own, under the same conftest, with no peer program in sight."""
    monkeypatch.delenv("SIPCORE_REQUIRE_PEERS", raising=False)
    source = (HERE / "conftest.py").read_text()
    source = source.replace(":/usr/local/sbin:/usr/sbin", "")
    source = source.replace('pytest_plugins = ["pytester", "tests.watch"]\n', "")
    pytester.makeconftest(source)
    pytester.path.joinpath("requirements.txt").write_text("\n".join(KNOWN) + "\n")
    pytester.makeini("[pytest]\nmarkers =\n  requirement(*ids): x\n  peer(name): x\n")
    return pytester


def case(mark: str) -> str:
    return f"import pytest\n@pytest.mark.{mark}\ndef test_it():\n    pass\n"


def test_three_known_ids_are_accepted(inner: pytest.Pytester) -> None:
    inner.makepyfile(case(f"requirement(*{KNOWN[:3]})"))
    inner.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("mark", "fault"),
    [
        ('requirement("RFC3261-7.1-99")', "*test_it: RFC3261-7.1-99 is not in requirements.txt*"),
        (f"requirement(*{KNOWN})", "*test_it: names 4 requirements, at most 3 are allowed*"),
        ("peer('nobody')", "*test_it: ('nobody',) is not a peer of*"),
    ],
)
def test_wrong_marks_stop_the_run(inner: pytest.Pytester, mark: str, fault: str) -> None:
    inner.makepyfile(case(mark))
    result = inner.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([fault])


def test_a_missing_peer_is_a_skip_that_says_how_to_get_it(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(inner.path))
    inner.makepyfile(case('peer("sipp")'))
    result = inner.runpytest_inprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*sipp is not installed; on Debian: apt-get install sip-tester*"])


def test_a_missing_peer_is_a_failure_where_peers_are_required(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(inner.path))
    monkeypatch.setenv("SIPCORE_REQUIRE_PEERS", "1")
    inner.makepyfile(case('peer("sipp")'))
    result = inner.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*sipp is not installed; on Debian: apt-get install sip-tester*REQUIRE_PEERS*"])


def test_rows_without_a_test_are_listed(inner: pytest.Pytester) -> None:
    inner.makepyfile(case(f"requirement('{KNOWN[0]}')"))
    result = inner.runpytest_inprocess("--requirements")
    result.stdout.fnmatch_lines(["*1 named, 3 not*", KNOWN[1], KNOWN[2], KNOWN[3]])
