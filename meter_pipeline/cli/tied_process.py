"""Runs a module as `python -m` does, and ends it when whoever started it says so or is gone, however it went.

What it was started by holds the other end of its standard input: once that is closed (by a person's Ctrl-C, or because
the starter was killed by force), this process is interrupted, and with it ends everything that it started. There is no
signal to send, so it works alike on all systems.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

from meter_pipeline.cli.process_group import end_group

GRACE_S = 15.0
"""Time to end in order once the starter has let go; then this process and all it started are ended by force."""


def command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module tied to whoever holds its standard input."""
    return [sys.executable, "-m", __name__, module, *arguments]


def main() -> None:
    """Run the module that the command line names, with the arguments that follow."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets what it starts by `&` ignore it
    starter = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # what is started from here must not hold the pipe, nor read from it
    os.close(nothing)
    threading.Thread(target=_end_when_let_go, args=(starter,), name="tied", daemon=True).start()
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.flush()
        _end_others()


def _end_when_let_go(starter: int) -> None:
    while os.read(starter, 1024):
        pass
    _interrupt_this_process()
    threading.Event().wait(GRACE_S)  # ends earlier with the process, as this thread is a daemon
    _end_others()
    os._exit(1)


def _interrupt_this_process() -> None:
    import _thread

    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)


def _end_others() -> None:
    """End what this process started; only where it has a group of its own, else the group is the caller's."""
    if sys.platform == "win32" or os.getpgid(0) == os.getpid():
        end_group(os.getpid(), but=os.getpid())


if __name__ == "__main__":
    main()
