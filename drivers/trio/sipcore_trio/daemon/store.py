"""What the daemon remembers over its own end: one SQLite file in the directory of `--state`.

Theory of operation. The agent says what to remember before the request that it covers (`Remember`); the driver gives
all such records of one moment to `StateStore.write`, which commits them in one transaction before it returns, and only
then are the requests sent. So whenever the daemon is killed, the file knows everything that a registrar has seen.

What is committed has been written to the file by the system call, so it outlives the process; it need not have reached
the disk. The log is synced by checkpoints, every few seconds and in a thread of their own (`synchronous=NORMAL`): a
power failure takes along the last seconds at most, and never damages the file. That costs nothing that matters: CSeq
numbers are stored a thousand ahead, which no registration uses up in that time; a registration whose first record was
lost begins with a new Call-ID; and a binding that is not known lapses by itself. In return registrations do not wait
for a disk: one commit after each checkpoint does.

One daemon owns a directory, by a lock that ends with its process. A file that is not ours, is damaged or is of a later
version is never touched: `StoreError` names it and says what to do. When the disk is full, or whatever else is wrong
while the daemon runs, registrations go on; what could not be written is kept here and tried again.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from sipcore import Remember

__all__ = ["StateStore", "StoreError"]

FILE: Final = "state.db"
LOCK: Final = "lock"

APPLICATION_ID: Final = 0x53_49_50_63
"""In the header of the file, by which SQLite files are told apart ("SIPc")."""
SCHEMA: Final = 1
"""The version of the tables; a later daemon may read an earlier one, never the other way round."""

SYNC_EVERY: Final = 2.0
"""Seconds between two looks whether there is something to sync: what a power failure may take along."""
RETRY_AFTER: Final = 5.0
"""Seconds until writing is tried again when it failed: a full disk is not asked for room with every request."""

_TABLES: Final = """
CREATE TABLE registration (name TEXT PRIMARY KEY NOT NULL, record TEXT NOT NULL) WITHOUT ROWID
"""


class StoreError(Exception):
    """The directory or the file cannot be used; the text names it and says what to do."""


class StateStore:
    """The records of all registrations; see the module's text. Raises `StoreError` when it cannot be opened.

    `on_trouble` is told in words when writing begins to fail, and None when it works again.
    """

    def __init__(self, directory: Path, on_trouble: Callable[[str | None], object] = lambda _: None) -> None:
        self.directory = directory
        self.path = directory / FILE
        self.trouble: str | None = None
        """Why nothing is written at the moment."""
        self._on_trouble = on_trouble
        self._unwritten: dict[str, str | None] = {}
        self._retry_at = 0.0
        self._ended = threading.Event()
        self._dirty = threading.Event()
        self._lock = _own(directory)
        try:
            self._database = _open(self.path)
        except BaseException:
            os.close(self._lock)
            raise
        self._syncing = threading.Thread(target=self._sync, name="state", daemon=True)
        self._syncing.start()

    def load(self) -> dict[str, dict[str, object]]:
        """All records by name: the agent's `snapshot`. Raises `StoreError` when the file is damaged."""
        try:
            rows = self._database.execute("SELECT name, record FROM registration").fetchall()
            records = {name: json.loads(text) for name, text in rows}
        except (sqlite3.DatabaseError, ValueError, RecursionError) as error:
            raise _damaged(self.path, error) from None
        # Whatever else stands in one is looked at by the agent.
        return {name: record for name, record in records.items() if isinstance(record, dict)}

    def write(self, records: Sequence[Remember], offset: float) -> None:
        """Store records, all of them or none; when it returns they outlive the process. Never raises.

        `offset` is the wall clock less the agent's clock.
        """
        self.put({item.name: item.dated(offset) for item in records})

    def put(self, records: Mapping[str, Mapping[str, object] | None]) -> None:
        """The same with records that have wall-clock times already; None forgets one."""
        texts = {name: None if record is None else json.dumps(record) for name, record in records.items()}
        if self.trouble is not None:
            self._unwritten.update(texts)
            if time.monotonic() < self._retry_at:
                return
            texts = self._unwritten
        try:
            self._commit(texts)
        except sqlite3.Error as error:
            self._failed(texts, error)
            return
        if self.trouble is not None:
            self.trouble = None
            self._unwritten = {}
            self._on_trouble(None)
        self._dirty.set()

    def retry(self) -> None:
        """Write what could not be written before. For a timer; when nothing is left to write, nothing happens."""
        if self._unwritten:
            self.put({})

    def close(self) -> None:
        """Let go of the file, with everything in it that is written."""
        if self._ended.is_set():
            return
        self._retry_at = 0.0
        self.retry()
        self._ended.set()
        self._dirty.set()
        self._syncing.join()
        with suppress(sqlite3.Error):
            self._database.close()
        os.close(self._lock)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _commit(self, texts: Mapping[str, str | None]) -> None:
        database = self._database
        kept = [(name, text) for name, text in texts.items() if text is not None]
        gone = [(name,) for name, text in texts.items() if text is None]
        database.execute("BEGIN IMMEDIATE")
        try:
            database.executemany("INSERT OR REPLACE INTO registration VALUES (?, ?)", kept)
            database.executemany("DELETE FROM registration WHERE name = ?", gone)
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    def _failed(self, texts: Mapping[str, str | None], error: sqlite3.Error) -> None:
        told, self.trouble = self.trouble, f"{self.path}: {error}"
        self._unwritten = dict(texts)
        self._retry_at = time.monotonic() + RETRY_AFTER
        if told is None:
            self._on_trouble(self.trouble)

    def _sync(self) -> None:
        # With a connection of its own: a passive checkpoint lets the other one go on writing.
        with closing(_connect(self.path)) as database:
            while not self._ended.is_set():
                self._dirty.wait()
                self._dirty.clear()
                # What fails here fails again, and is told, when the log can grow no more.
                with suppress(sqlite3.Error):
                    database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                self._ended.wait(SYNC_EVERY)


def _own(directory: Path) -> int:
    """Make the directory if need be, and keep every other daemon out of it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the state directory {directory} cannot be used: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        text = f"another sipcore uses the state directory {directory}; stop it, or name another one"
        raise StoreError(text) from None
    return lock


def _open(path: Path) -> sqlite3.Connection:
    """The file, made if there is none."""
    try:
        # SQLite makes its files, the log among them, with the rights of this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"the state file {path} cannot be opened: {error.strerror}") from None
    database: sqlite3.Connection | None = None
    try:
        database = _connect(path)
        _check(database, path)
    except BaseException as error:
        if database is not None:
            database.close()
        if isinstance(error, sqlite3.OperationalError):
            raise StoreError(f"the state file {path} cannot be used: {error}") from None
        if isinstance(error, sqlite3.DatabaseError):
            raise _damaged(path, error) from None
        raise
    return database


def _check(database: sqlite3.Connection, path: Path) -> None:
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not application and not version and not tables:
        # New, or cut off before anything was in it.
        database.execute("PRAGMA journal_mode = WAL").fetchone()
        database.execute("BEGIN IMMEDIATE")
        database.execute(_TABLES)
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        database.execute(f"PRAGMA user_version = {SCHEMA}")
        database.execute("COMMIT")
    elif application != APPLICATION_ID:
        raise StoreError(f"{path} is the database of another program; name another directory, or move the file away")
    elif version != SCHEMA:
        raise StoreError(
            f"{path} has version {version} and this sipcore knows version {SCHEMA}: run the version that wrote it, or "
            "move the file away, and everything registers anew"
        )
    database.execute("PRAGMA journal_mode = WAL").fetchone()
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    database.execute("SELECT name, record FROM registration LIMIT 1").fetchone()


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=1.0, check_same_thread=False)
    try:
        # Of checkpoints only the thread's own: those of a commit would make a registration wait for the disk.
        database.execute("PRAGMA wal_autocheckpoint = 0").fetchone()
        database.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        database.close()
        raise
    return database


def _damaged(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"the state file {path} is damaged or is no state file ({error}); nothing was changed. Put a copy of it in its "
        "place, or move it and the files beside it away: then everything registers anew, and old bindings lapse"
    )
