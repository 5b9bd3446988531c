"""Dagster's daemon, which starts runs: sensors, automation, the queue. It waits for the code, then goes its ways."""

from __future__ import annotations

import sys

from meter_pipeline.cli.dagster_server.code_address import CodeAddress, wait_for_code


def main() -> None:
    """Run the daemon on the instance of `DAGSTER_HOME`; the argument is the code server's address."""
    from pathlib import Path

    import dagster as dg
    from dagster._daemon.controller import DEFAULT_DAEMON_HEARTBEAT_TOLERANCE_SECONDS, daemon_controller_from_instance
    from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers

    from meter_pipeline.cli.dagster_server.woken_daemons import woken_daemons
    from meter_pipeline.defs.history_access import keep_access
    from meter_pipeline.settings import load_settings
    from meter_pipeline.storage.layout import Layout

    address, layout = CodeAddress.of(sys.argv[1]), Layout(load_settings().data_dir)
    setup_interrupt_handlers()
    keep_access()
    with dg.DagsterInstance.get() as instance:
        wait_for_code(address)
        with (
            capture_interrupts(),  # a tick under way is ended before the daemon ends
            daemon_controller_from_instance(
                instance,
                workspace_load_target=address.target(),
                heartbeat_tolerance_seconds=DEFAULT_DAEMON_HEARTBEAT_TOLERANCE_SECONDS,
                gen_daemons=lambda instance: woken_daemons(instance, layout, Path(instance.root_directory)),
                log_level="warning",
                code_server_log_level="warning",
            ) as controller,
        ):
            controller.check_daemon_loop()


if __name__ == "__main__":
    main()
