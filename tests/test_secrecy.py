"""The watch over all tests finds what it should, and an agent in any state holds its secrets where nobody looks."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import shutil
import sys
import traceback
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest
from rich.console import Console
from rich.traceback import Traceback

import sipcore.auth
from sipcore.config import Credential
from sipcore.profiles import PROFILES
from sipcore.registrar import RegistrarPolicy
from sipcore.testing import Answer, Line, Pair, challenge, ok
from sipcore.values import Secret
from tests.accounts import TCP, account
from tests.programs import TOP
from tests.secrecy import PASSWORD, TOKEN, find, ha1s, mask

# --- what is found ---------------------------------------------------------------------------------------------------

HA1S = [digest for _, digest in ha1s("alice", "example.com")]

SHOWN = {
    "the password": PASSWORD,
    "in a URI": f"sip:alice:{PASSWORD}@example.com",
    "in capitals": PASSWORD.upper(),
    "backwards": PASSWORD[::-1],
    "in the repr of bytes": repr(f"x{PASSWORD}".encode()),
    "in hexadecimal digits": PASSWORD.encode().hex(),
    "in JSON": json.dumps({"password": PASSWORD}),
    "the token": f"Authorization: Bearer {TOKEN}",
    **{f"Basic of {user}": f"Basic {b64encode(f'{user}:{PASSWORD}'.encode()).decode()}" for user in ("a", "al", "ali")},
    **{f"H(A1) of {len(digest)} digits": f"ha1={digest}" for digest in HA1S[:2]},
    "H(A1) in capitals": HA1S[0].upper(),
    "H(A1) between others": f"00{HA1S[1]}ff",
}


@pytest.mark.parametrize("name", SHOWN)
def test_it_is_found_in_every_spelling_and_masked(name: str) -> None:
    assert find(SHOWN[name]) is not None
    assert find(f"before\n{SHOWN[name]}\nafter") is not None
    assert find(mask(SHOWN[name])) is None


@pytest.mark.parametrize("text", ["", "***", "secret", "Secret('***')", "0123456789abcdef" * 8, "kanarien vogel"])
def test_other_texts_are_left_alone(text: str) -> None:
    assert find(text) is None
    assert mask(text) == text


def test_every_algorithm_of_this_python_is_known() -> None:
    assert {name for name, _ in ha1s("alice", "example.com")} >= {"MD5", "SHA-256"}
    for algorithm in (sipcore.auth.Algorithm.MD5, sipcore.auth.Algorithm.SHA_256):
        user = Credential(username="alice", password=Secret(PASSWORD))
        assert find(user.ha1_for(algorithm, "example.com").reveal()) == f"H(A1) of alice at example.com by {algorithm}"


# --- whoever lets it out fails ---------------------------------------------------------------------------------------

LEAKS = '''
import logging, subprocess, sys, warnings
import pytest
from sipcore.errors import ConfigError
from sipcore.testing import Line, ok
from tests.accounts import account
from tests.secrecy import PASSWORD, TOKEN, ha1s, heard

HA1 = next(ha1s("alice", "example.com"))[1]

class Careless:
    def __repr__(self):
        return f"Careless({PASSWORD})"

def test_quiet(tmp_path, caplog):
    account()
    print("secret", Careless.__name__)
    logging.getLogger("sipcore").error("nothing to see: %s", account())
    (tmp_path / "pjsip.conf").write_text(PASSWORD)
    (tmp_path / "log.txt").write_text("Secret('***')")

def test_log():
    logging.getLogger("sipcore.quiet").error("logged in with %s", PASSWORD)

def test_log_that_goes_nowhere():
    logger = logging.getLogger("sipcore.nowhere")
    logger.propagate = False
    logger.setLevel(1)
    logger.log(1, "nothing", extra={"why": HA1})

def test_log_of_an_exception():
    try:
        raise ValueError(TOKEN)
    except ValueError:
        logging.getLogger("x").exception("oh")

def test_assertion():
    assert Careless() == 1

def test_local_variable():
    given = [PASSWORD]
    assert False, given

def test_output(capsys):
    print(HA1.upper())

def test_output_in_a_fixture(request):
    request.addfinalizer(lambda: sys.stderr.write(PASSWORD))

def test_file(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "replay.jsonl").write_text('{"x": "%s"}' % PASSWORD)

def test_file_of_another_folder(tmp_path_factory):
    # Found at the end of the session.
    (tmp_path_factory.mktemp("elsewhere") / "trace.txt").write_text(PASSWORD)

def test_program():
    subprocess.run([sys.executable, "-c", f"print({PASSWORD!r})"], capture_output=True)

def test_error():
    with pytest.raises(ConfigError):
        raise ConfigError("password", PASSWORD, "another")

def test_event(monkeypatch):
    from sipcore.events import Registered
    monkeypatch.setattr(Registered, "__repr__", lambda self: PASSWORD)
    line = Line(account(), script=[ok(2)])
    line.register(until=400)

def test_repr(monkeypatch):
    from sipcore.config import Credential
    monkeypatch.setattr(Credential, "__repr__", lambda self: PASSWORD)
    account()

def test_another_mouth():
    heard(f"Secret: {PASSWORD}", "the answer to an action")

def test_skip():
    pytest.skip(PASSWORD)

def test_unraisable():
    class Dying:
        def __del__(self):
            raise ValueError(PASSWORD)
    Dying()
    import gc
    gc.collect()

def test_warning():
    warnings.warn(PASSWORD)
'''


def inner(pytester: pytest.Pytester, source: str, *arguments: str) -> tuple[pytest.RunResult, str]:
    """A session of its own with nothing but the watch; gives what it showed."""
    pytester.makeconftest("pytest_plugins = ['tests.watch']")
    pytester.makepyfile(source)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-v", "-W", "error", *arguments)
    return result, "\n".join([*result.outlines, *result.errlines])


@pytest.fixture
def watched(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    yield pytester
    # What was planted is not to be found by the session that runs this.
    shutil.rmtree(pytester.path)


def test_every_leak_fails_the_test_that_has_it(watched: pytest.Pytester) -> None:
    result, shown = inner(watched, LEAKS, "--showlocals", "-rA")
    names = [line.split("(")[0].removeprefix("def ") for line in LEAKS.splitlines() if line.startswith("def test_")]
    ends = {name: {word for word in ("PASSED", "FAILED", "ERROR") if f"::{name} {word}" in shown} for name in names}
    assert ends.pop("test_quiet") == {"PASSED"}
    # The last test is where a session's leftovers show.
    assert ends.pop("test_file_of_another_folder") == {"PASSED"}
    late = ends.pop("test_output_in_a_fixture"), ends.pop("test_file")
    assert late == ({"PASSED", "ERROR"}, {"PASSED", "ERROR"})
    # What cannot be raised is told with its test or with the one after it; and there the session ends.
    assert "FAILED" in ends.pop("test_unraisable") | ends.pop("test_warning")
    assert all(found == {"FAILED"} for found in ends.values()), ends
    assert "elsewhere0/trace.txt" in shown
    assert find(shown) is None
    assert "a secret was seen: the password in a record of logger sipcore.quiet" in shown
    assert "a secret was seen: H(A1) of alice at example.com by MD5 in a record of logger sipcore.nowhere" in shown
    assert "replay.jsonl" in shown
    assert "the password in the answer to an action" in shown
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_leak_after_the_last_test_fails_the_session(watched: pytest.Pytester) -> None:
    source = """
        import pytest
        from tests.secrecy import PASSWORD, heard

        @pytest.fixture(scope="session", autouse=True)
        def late(request):
            request.config.add_cleanup(lambda: None)

        def test_quiet():
            pass
        """
    watched.makeconftest(
        """
        import pytest
        from tests.secrecy import PASSWORD, heard
        pytest_plugins = ["tests.watch"]

        @pytest.hookimpl(tryfirst=True)
        def pytest_sessionfinish():
            heard(PASSWORD, "the last words")
        """
    )
    watched.makepyfile(source)
    result = watched.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["a secret was seen after the last test: the password in the last words"])


def test_what_all_tests_log_in_with_is_the_canary() -> None:
    assert account().password == Secret(PASSWORD)
    pair = Pair(account(), users={"alice": PASSWORD})
    pair.register()
    assert pair.status().registered


# --- failures on the way of a password -------------------------------------------------------------------------------

ROOM = os.path.dirname(sipcore.auth.__file__)

ANSWERED = [
    challenge(),
    challenge(algorithm="SHA-256"),
    challenge(algorithm="MD5-sess"),
    challenge(qop=None),
    challenge(407, algorithm="SHA-512-256"),
    challenge(algorithm="AKAv1-MD5"),
]


class Injected(Exception):
    """What fails where nothing should."""


OFTEN = 2
"""How many times a line fails that is run more often, in loops."""


def log_in(answer: Answer, step: int | None, error: type[BaseException]) -> tuple[int, BaseException | None]:
    """A challenge is answered; at place number `step` in the room of authentication, it fails.

    Gives the number of places, and the error that came out.
    """
    line = Line(account(), script=[answer, ok()])
    line.agent.register("alice", now=0.0)
    count = 0
    visited: Counter[tuple[CodeType, int]] = Counter()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "call" and not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            place = frame.f_code, frame.f_lineno
            visited[place] += 1
            if visited[place] <= OFTEN:
                count += 1
                if count == step:
                    raise error("injected")
        return trace

    caught: BaseException | None = None
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        line.run(1.0)
    except error as raised:
        caught = raised
    finally:
        sys.settrace(before)
    return count, caught


def shown(error: BaseException) -> str:
    """With the local variables of all frames, and of those of its causes."""
    texts = traceback.format_exception(error)
    link: BaseException | None = error
    while link is not None:
        for frame, _ in traceback.walk_tb(link.__traceback__):
            for value in frame.f_locals.values():
                # What was being made when it failed may not be able to print itself; nobody sees it then.
                with contextlib.suppress(AttributeError):
                    texts.append(repr(value))
        link = link.__cause__ or link.__context__
    return "\n".join(texts)


def shown_by_rich(error: BaseException) -> str:
    """As rich prints it."""
    assert error.__traceback__ is not None
    printed = io.StringIO()
    console = Console(file=printed, width=200)
    console.print(Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True))
    return printed.getvalue()


@pytest.mark.parametrize("error", [Injected, KeyboardInterrupt])
@pytest.mark.parametrize("number", range(len(ANSWERED)))
def test_a_failure_at_any_line_of_the_digest_path_shows_no_secret(number: int, error: type[BaseException]) -> None:
    """Law: wherever it fails, a traceback with all local variables shows neither password nor digest of it."""
    total, nothing = log_in(ANSWERED[number], None, error)
    assert nothing is None
    came_out = 0
    for step in range(1, total + 1):
        _, raised = log_in(ANSWERED[number], step, error)
        if raised is not None:
            came_out += 1
            found = find(shown(raised))
            if step == total // 2 and error is Injected:
                found = found or find(shown_by_rich(raised))
            assert found is None, f"{found} in the traceback of a failure at place {step}"
    assert came_out > total / 2


def test_a_secret_in_a_local_variable_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the law above would prove nothing."""
    authorization = sipcore.auth.DigestSession.authorization

    def careless(session: Any, *arguments: Any, **named: Any) -> Any:
        password = PASSWORD
        return authorization(session, *arguments, **named) if password else None

    monkeypatch.setattr(sipcore.auth.DigestSession, "authorization", careless)
    total, _ = log_in(ANSWERED[0], None, Injected)
    texts = [shown(raised) for step in range(1, total + 1) if (raised := log_in(ANSWERED[0], step, Injected)[1])]
    assert any(find(text) for text in texts)


# --- all that an agent holds -----------------------------------------------------------------------------------------


def line_at(until: float, *script: Any, users: tuple[str, ...] = ("alice",), **options: Any) -> Line:
    line = Line(*[account(user, **options) for user in users], script=script)
    line.register(until=until)
    return line


def reloaded(line: Line) -> Line:
    line.agent.reload([account(expires=600, password=f"{PASSWORD}-new"), account("bob")], now=line.now)
    line.run(line.now + 3.0)
    return line


def closed(line: Line) -> Line:
    line.agent.close(now=line.now)
    line.run(line.now + 60.0)
    assert line.agent.closed
    return line


def removing(line: Line) -> Line:
    line.peer.answer(Answer(200, delay=9.0))
    line.agent.remove("alice", now=line.now)
    line.run(line.now + 1.0)
    return line


def cut(line: Line) -> Line:
    line.peer.close("connection reset")
    line.run(line.now + 2.0)
    return line


LATE = Answer(200, contact="{contact};expires=60", delay=5.0)

STATES: dict[str, Callable[[], Line]] = {
    "known": lambda: Line(account()),
    "resolving": lambda: line_at(0.0),
    "in flight": lambda: line_at(1.0),
    "in flight with credentials": lambda: line_at(1.0, challenge(), LATE),
    "with credentials by SHA-256": lambda: line_at(1.0, challenge(algorithm="SHA-256"), LATE),
    "with credentials by MD5-sess": lambda: line_at(1.0, challenge(algorithm="MD5-sess"), LATE),
    "registered": lambda: line_at(3.0, challenge(), ok(60)),
    "refreshed, with a nonce used before": lambda: line_at(200.0, challenge(), ok(60)),
    "stale": lambda: line_at(1.0, challenge(), challenge(stale=True), LATE),
    "challenged for ever": lambda: line_at(30.0, challenge()),
    "challenged by something else": lambda: line_at(3.0, Answer(401, ("WWW-Authenticate: Bearer realm=r",))),
    "refused": lambda: line_at(3.0, challenge(), Answer(403)),
    "refused as Asterisk": lambda: line_at(3.0, challenge(), 403, profile=PROFILES["ASTERISK"]),
    "temporarily refused": lambda: line_at(3.0, challenge(), Answer(503, ("Retry-After: 60",))),
    "silence": lambda: line_at(100.0),
    "on a connection": lambda: line_at(3.0, challenge(), ok(60), transport=TCP),
    "after a lost connection": lambda: cut(line_at(3.0, challenge(), ok(60), transport=TCP)),
    "after a reload": lambda: reloaded(line_at(3.0, challenge(), ok(60))),
    "being removed": lambda: removing(line_at(3.0, challenge(), ok(60))),
    "closed": lambda: closed(line_at(3.0, challenge(), ok(60), users=("alice", "bob"))),
}

STOP = (ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, type)
"""What belongs to the program and not to its state; behind it is everything."""

SILENT = (str, bytes, bytearray, int, float, tuple, list, dict, set, frozenset)
"""Texts are looked at as they are, and containers item by item."""


def leaks(*roots: object) -> Iterator[str]:
    """Everything that can be reached: texts with a secret outside of `Secret`, and whatever prints one."""
    seen: dict[int, object] = {}
    waiting: list[tuple[object, str]] = [(root, type(root).__name__) for root in roots]
    while waiting:
        value, path = waiting.pop()
        if id(value) in seen or isinstance(value, STOP):
            continue
        seen[id(value)] = value
        texts = []
        if isinstance(value, str):
            texts = [value]
        elif isinstance(value, bytes | bytearray):
            texts = [value.decode("latin-1")]
        if not isinstance(value, SILENT):
            texts += [repr(value), str(value), format(value)]
        for text in texts:
            if (found := find(text)) is not None:
                yield f"{found} in {path}"
        # What is in a Secret is the secret; that it shows nothing has been seen above.
        if not isinstance(value, Secret):
            waiting += [(item, f"{path}.{type(item).__name__}") for item in gc.get_referents(value)]
    assert len(seen) > 100, "nothing was reached"


@pytest.mark.parametrize("state", STATES)
def test_only_a_secret_holds_a_secret(state: str) -> None:
    """Law: in any state no object that can be reached from an agent, its outputs or its snapshot shows a secret."""
    line = STATES[state]()
    texts = json.dumps(line.agent.snapshot(now=line.now, wall=0.0))
    assert list(leaks(line.agent, line.station.outputs, line.agent.statuses(), texts)) == []


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "MD5-sess"])
def test_the_registrar_holds_its_users_secrets_as_well(algorithm: str) -> None:
    policy = RegistrarPolicy(algorithms=(sipcore.auth.Algorithm(algorithm),), realm="example.com")
    pair = Pair(account(), account("bob"), users={"alice": PASSWORD, "bob": f"{PASSWORD}-other"}, policy=policy)
    pair.register(until=5.0)
    assert pair.status("alice").registered
    assert not pair.status("bob").registered
    assert list(leaks(pair.registrar, pair.server.outputs, pair.agent, pair.client.outputs)) == []


def test_a_text_that_is_kept_is_found() -> None:
    """Else the laws above would prove nothing: with a copy of it anywhere, however deep."""
    line = STATES["registered"]()
    line.agent._by_contact = {"x": PASSWORD}
    assert list(leaks(line.agent)) == ["the password in UserAgent.dict.str"]
    line.agent._by_contact = {"x": next(ha1s("alice", "example.com"))[1]}
    assert len(list(leaks(line.agent))) == 1

