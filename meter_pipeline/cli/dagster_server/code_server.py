"""The code server: the one process that has the graph loaded, and starts the runs; the others ask it."""

from __future__ import annotations

import contextlib
import sys

from meter_pipeline.cli.dagster_server.code_address import CodeAddress


def main() -> None:
    """Serve the code at the address that the command line names."""
    from dagster._utils.interrupts import setup_interrupt_handlers
    from dagster._utils.log import configure_loggers

    from meter_pipeline.cli.dagster_server.served_code import serve
    from meter_pipeline.defs.history_access import keep_access

    setup_interrupt_handlers()
    configure_loggers(log_level="WARNING")
    keep_access()
    with contextlib.suppress(KeyboardInterrupt):
        serve(CodeAddress.of(sys.argv[1]))


if __name__ == "__main__":
    main()
