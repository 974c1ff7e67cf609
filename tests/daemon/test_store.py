"""The state file: what is written outlives the process, and nothing that is not ours is touched."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from sipcore import Remember
from sipcore_trio.daemon import store as module
from sipcore_trio.daemon.store import StateStore, StoreError

KILLED = """
import os, signal, sys
from pathlib import Path
from sipcore import Remember
from sipcore_trio.daemon.store import StateStore
store = StateStore(Path(sys.argv[1]))
for number in range(100):
    store.write([Remember(name="alice", record={"cseq": number}), Remember(name=f"{number}", record={})], 0.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def store(directory: Path) -> Iterator[StateStore]:
    opened = StateStore(directory)
    yield opened
    opened.close()


def again(directory: Path) -> dict[str, dict[str, object]]:
    """What another process finds."""
    opened = StateStore(directory)
    try:
        return opened.load()
    finally:
        opened.close()


def remembered(name: str, **record: Any) -> Remember:
    return Remember(name=name, record=record)


def test_records_come_back_with_wall_clock_times(store: StateStore, directory: Path) -> None:
    store.write([remembered("alice", call_id="x", expires_at=5.0), remembered("bob", cseq=1, expires_at=None)], 1000.0)
    store.write([Remember(name="bob", record=None), Remember(name="nobody", record=None)], 1000.0)
    store.close()
    assert again(directory) == {"alice": {"call_id": "x", "expires_at": 1005.0}}


def test_of_several_records_of_one_name_the_last_counts(store: StateStore) -> None:
    store.write([remembered("alice", cseq=1), remembered("alice", cseq=2)], 0.0)
    assert store.load() == {"alice": {"cseq": 2}}
    store.write([remembered("alice", cseq=3), Remember(name="alice", record=None)], 0.0)
    assert store.load() == {}


def test_what_was_written_outlives_a_kill(directory: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(directory)], check=False, timeout=120)
    assert killed.returncode == -9
    records = again(directory)
    assert records["alice"] == {"cseq": 99}
    assert len(records) == 101


def test_nobody_else_reads_it(store: StateStore, directory: Path) -> None:
    store.write([remembered("alice", cseq=1)], 0.0)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = list(directory.iterdir())
    assert {path.name for path in files} >= {"state.db", "state.db-wal", "lock"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_second_daemon_is_refused(store: StateStore, directory: Path) -> None:
    with pytest.raises(StoreError, match=f"another sipcore uses the state directory {directory}"):
        StateStore(directory)
    store.close()
    StateStore(directory).close()


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match=r"state directory .*/file/state cannot be used: Not a directory"):
        StateStore(tmp_path / "file" / "state")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"this is no database at all, but a text that somebody wrote there " * 10, "damaged or is no state file"),
        ("foreign", "another program"),
        ("later", "has version 99 and this sipcore knows version 1"),
        ("no table", "cannot be used: no such table"),
        ("cut", "damaged or is no state file"),
    ],
    ids=["text", "foreign", "later", "no table", "cut"],
)
def test_a_file_that_is_not_ours_or_damaged_is_named_and_not_touched(
    directory: Path, content: Any, expected: str
) -> None:
    path = directory / "state.db"
    if isinstance(content, bytes):
        directory.mkdir()
        path.write_bytes(content)
    else:
        _spoil(directory, path, content)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=expected) as caught:
        StateStore(directory)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    path.unlink()
    StateStore(directory).close()  # the lock was let go


def _spoil(directory: Path, path: Path, how: str) -> None:
    opened = StateStore(directory)
    opened.put({str(number): {"text": "x" * 500} for number in range(200)})
    opened.close()
    if how == "cut":
        os.truncate(path, path.stat().st_size // 2)
        return
    database = sqlite3.connect(path)
    sql = {
        "foreign": "PRAGMA application_id = 7",
        "later": "PRAGMA user_version = 99",
        "no table": "DROP TABLE registration",
    }
    database.execute(sql[how])
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    database.close()


def test_a_record_that_is_no_object_is_left_out(store: StateStore) -> None:
    store.put({"alice": {"cseq": 1}})
    store._database.execute("INSERT INTO registration VALUES ('bob', '[1]')")
    assert store.load() == {"alice": {"cseq": 1}}
    # The last one nests deeper than any parser follows.
    for text in ("{", "[" * 100_000):
        store._database.execute("INSERT OR REPLACE INTO registration VALUES ('carol', ?)", (text,))
        with pytest.raises(StoreError, match="damaged"):
            store.load()


class Clock:
    """Stands in for the module's clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_a_full_disk_is_told_once_and_what_was_missed_is_written_later(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    told: list[str | None] = []
    store = StateStore(directory, told.append)
    store.put({"alice": {"cseq": 1}, "bob": {"cseq": 1}})
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    large = {"text": "x" * 20_000}
    store.put({"alice": {"cseq": 2}, "large": large})
    assert store.trouble == f"{directory / 'state.db'}: database or disk is full"
    assert store.load() == {"alice": {"cseq": 1}, "bob": {"cseq": 1}}
    store.put({"alice": {"cseq": 3}, "bob": None})
    clock.now += module.RETRY_AFTER
    store.put({"carol": {"cseq": 1}})
    assert told == [store.trouble]
    store._database.execute("PRAGMA max_page_count = 1000").fetchone()
    store.retry()
    assert store.load()["alice"] == {"cseq": 1}
    clock.now += module.RETRY_AFTER
    store.retry()
    assert store.load() == {"alice": {"cseq": 3}, "carol": {"cseq": 1}, "large": large}
    assert told[1:] == [None]
    assert store.trouble is None
    store.close()


def test_the_end_writes_what_is_left(directory: Path) -> None:
    store = StateStore(directory)
    store.put({"alice": {"cseq": 1}})
    store._database.execute("PRAGMA query_only = 1")
    store.put({"alice": {"cseq": 2}})
    assert store.trouble is not None
    assert "readonly" in store.trouble
    store._database.execute("PRAGMA query_only = 0")
    store.close()
    store.close()
    assert again(directory) == {"alice": {"cseq": 2}}


def test_the_log_is_synced_into_the_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SYNC_EVERY", 0.01)
    store = StateStore(directory)
    file = f"file:{directory / 'state.db'}?immutable=1"  # what is in the log is not seen
    text = json.dumps({"cseq": 7})
    found: list[tuple[str]] = []
    while found != [(text,)]:
        store.put({"alice": {"cseq": 7}})
        with closing(sqlite3.connect(file, uri=True)) as reader, suppress(sqlite3.DatabaseError):
            found = reader.execute("SELECT record FROM registration").fetchall()
    store.close()
