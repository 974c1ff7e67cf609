"""`sipcore run` up to the moment at which the daemon lives: whatever is wrong is found here, before anything starts.

The logs, the configuration, the limits of the process, the addresses, the control socket and the recording are looked
at in this order. A signal ends it at once; from the moment that there is something to tidy up, it waits for the daemon.
"""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from types import FrameType

import trio

from sipcore.errors import ConfigError
from sipcore.profiles import PROFILES
from sipcore.syntax.grammar import visible
from sipcore_trio.daemon import codes
from sipcore_trio.daemon.checks import (
    StartError,
    check_addresses,
    descriptors_needed,
    load_file,
    raise_descriptors,
)
from sipcore_trio.daemon.control import ControlError, ControlSocket
from sipcore_trio.daemon.logs import start_logging
from sipcore_trio.daemon.recording import RecordFile
from sipcore_trio.daemon.run import ENDING, Daemon
from sipcore_trio.daemon.services import wanted

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Run until a signal ends it. Whatever is wrong with the arguments or the file is found before anything starts."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the file is about to be read anyway
    try:
        for number in ENDING:
            signal.signal(number, _end_early)
        return _run(options)
    except _EndedEarly:
        return codes.OK


class _EndedEarly(BaseException):
    """A signal came before anything was started."""


def _end_early(number: int, frame: FrameType | None) -> None:
    raise _EndedEarly


def _too_late(number: int, frame: FrameType | None) -> None:
    # In force again behind the daemon's own receiver, when everything is over.
    pass


def _run(options: argparse.Namespace) -> int:
    log = start_logging(options.log_level, options.log_format)
    gc.disable()
    try:
        profile = PROFILES[options.profile]
        configuration, warnings = load_file(options.config, profile, strict_permissions=options.strict_permissions)
        raise_descriptors(descriptors_needed(configuration.accounts))
        check_addresses(configuration.binds.items())
        # From the moment that there is something to tidy up, signals wait until the daemon looks at them.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        for number in ENDING:
            signal.signal(number, _too_late)
        control = ControlSocket(options.control)
        try:
            record = RecordFile.wanted(options.record, options.record_limit, log)
        except StartError:
            control.close()
            raise
    except (ConfigError, StartError, ControlError) as error:
        print(f"sipcore: {error}", file=sys.stderr)
        return codes.USAGE
    for warning in warnings:
        log.warning("%s", visible(warning, 1000))
    daemon = Daemon(options, configuration, control, log, record)
    del configuration  # the accounts live on in the agent, the rest may go
    try:
        try:
            daemon.services = wanted(daemon)
        except (ConfigError, StartError) as error:
            print(f"sipcore: {error}", file=sys.stderr)
            return codes.USAGE
        trio.run(daemon.main)
        if daemon.recorder is not None:
            daemon.recorder.close_file()
    finally:
        control.close()
        if record is not None:
            record.close()
        if daemon.state is not None:
            daemon.state.close()
    return daemon.code
