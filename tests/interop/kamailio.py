"""A Kamailio of our own on loopback: started, asked what it believes, restarted, stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import find_peer
from tests.secrecy import PASSWORD

__all__ = ["Contact", "Kamailio", "free_port"]

READY_WITHIN = 30.0
"""Seconds until Kamailio must answer; it takes 0.1 s on an idle machine. A fail-safe, not a measure."""
STOP_WITHIN = 10.0

CONFIG = """\
#!KAMAILIO
# Written by tests/interop/kamailio.py. A registrar on loopback, UDP and TCP, everything in memory.
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
listen=udp:127.0.0.1:{port}
listen=tcp:127.0.0.1:{port}

loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "htable.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "jsonrpcs.so"

modparam("usrloc", "db_mode", 0)
modparam("usrloc", "timer_interval", 1)
modparam("registrar", "min_expires", 1)
modparam("registrar", "max_expires", 3600)
modparam("auth", "nonce_expire", {nonce_lifetime})
modparam("htable", "htable", "users=>size=4;")
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "{directory}/rpc")

event_route[htable:mod-init] {{
{users}}}

request_route {{
    if (!mf_process_maxfwd_header("10")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("OPTIONS")) {{ sl_send_reply("200", "OK"); exit; }}
    if (!is_method("REGISTER")) {{ sl_send_reply("405", "Method Not Allowed"); exit; }}
#!ifdef DIGEST
    # As in Kamailio's own example: whatever is wrong with the credentials, the answer is a new challenge.
    if (!is_present_hf("Authorization") || !pv_www_authenticate("$td", "$sht(users=>$au)", "0")) {{
        www_challenge("$td", "1");
        exit;
    }}
    if ($au != $tU) {{ sl_send_reply("403", "Forbidden"); exit; }}
#!endif
    if (!save("location")) {{ sl_reply_error(); }}
    exit;
}}
"""


class Contact(NamedTuple):
    """One binding in Kamailio's location table."""

    uri: str
    expires: int
    """Seconds left."""
    call_id: str
    cseq: int
    socket: str
    """Kamailio's own side: `udp:` or `tcp:`, address and port."""


class Kamailio:
    """A running Kamailio. A context manager; `restart()` keeps the port and forgets all bindings."""

    def __init__(
        self, log: Path, *, digest: bool = True, users: Mapping[str, str] | None = None, nonce_lifetime: int = 300
    ) -> None:
        self._log = log
        self._digest = digest
        self._users = {"alice": PASSWORD} if users is None else users
        self._nonce_lifetime = nonce_lifetime
        # Unix sockets have short names only; pytest's directories are too deep.
        self._directory = tempfile.mkdtemp(prefix="kamailio-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def uri(self) -> str:
        """Where to register."""
        return f"sip:127.0.0.1:{self.port}"

    def __enter__(self) -> Kamailio:
        try:
            self.port = free_port()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    def start(self) -> None:
        """Start, and return when it answers."""
        program = find_peer("kamailio")
        assert program is not None
        config = Path(self._directory, "kamailio.cfg")
        config.write_text(
            CONFIG.format(
                port=self.port,
                directory=self._directory,
                nonce_lifetime=self._nonce_lifetime,
                users="".join(f'    $sht(users=>{name}) = "{word}";\n' for name, word in self._users.items()),
            )
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(program, "-f", str(config), "-DD", "-E", "-m", "16", "-M", "4", "-Y", self._directory),
                    *(["-A", "DIGEST"] if self._digest else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End it and all its children."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def restart(self) -> None:
        """A new process on the same port, which knows of no binding and of no nonce."""
        self.stop()
        self.start()

    def contacts(self, user: str) -> list[Contact]:
        """The location table's rows of a user; empty when there are none."""
        answer = self._rpc("ul.lookup", "location", user)
        if "error" in answer:
            assert "not found" in answer["error"]["message"], answer
            return []
        rows = (row["Contact"] for row in answer["result"]["Contacts"])
        return [
            Contact(row["Address"], row["Expires"], row["Call-ID"], row["CSeq"], row["Socket"])
            for row in rows
            # A row that is about to go says "expired" or "deleted" instead of a number.
            if isinstance(row["Expires"], int)
        ]

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        options = (
            f"OPTIONS {self.uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKready;rport\r\n"
            "From: <sip:ready@127.0.0.1>;tag=ready\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ready\r\n"
            "CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ).encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("127.0.0.1", self.port))
            probe.settimeout(0.2)
            for _ in range(int(READY_WITHIN / 0.2)):
                try:
                    probe.send(options)
                    probe.recv(4096)
                    # The TCP side and the command socket are there before the UDP worker is.
                    socket.create_connection(("127.0.0.1", self.port), READY_WITHIN).close()
                    return
                except OSError:
                    pass
                try:
                    self._process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    continue
        text = self._log.read_text(errors="replace")
        self.stop()
        raise AssertionError(f"Kamailio does not answer on port {self.port}:\n{text}")

    def _rpc(self, method: str, *params: str) -> Any:
        own = os.path.join(self._directory, "asker")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
            asker.bind(own)
            try:
                asker.settimeout(READY_WITHIN)
                call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
                asker.sendto(json.dumps(call).encode(), os.path.join(self._directory, "rpc"))
                return json.loads(asker.recv(65536))
            finally:
                os.unlink(own)


def free_port() -> int:
    """A loopback port that is free on both UDP and TCP at this moment."""
    for _ in range(100):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
        ):
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            try:
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free on both UDP and TCP")
