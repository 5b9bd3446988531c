"""The web server of the Dagster UI: Dagster's application behind our doors, on the port that people open."""

from __future__ import annotations

import argparse

from dagster._core.workspace.context import IWorkspaceProcessContext
from starlette.types import ASGIApp

from meter_pipeline.cli.dagster_server.code_address import CodeAddress, wait_for_code
from meter_pipeline.cli.dagster_server.guarded_ui import UnderPaths
from meter_pipeline.dashboard.server.addresses import path_of
from meter_pipeline.dashboard.server.headers import SafeHeaders
from meter_pipeline.dashboard.server.hosts import Hosts, Service
from meter_pipeline.settings import Settings, load_settings

SERVICE = Service(name="the Dagster UI", setting="METER_DAGSTER_URL", command="meter dev")
GRACE_S = 3
"""Time that open requests get when the server ends."""
STATEMENT_TIMEOUT_MS, POOL_RECYCLE_S, POOL_OVERFLOW = 15_000, 3_600, 20
"""Of the database connections, as Dagster's own web server has them."""
CONTENT_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'unsafe-inline'",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "media-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
}
"""What Dagster's page needs, and no other site. Where Dagster sends a policy of its own, its directives are kept."""


def guarded_app(context: IWorkspaceProcessContext, settings: Settings, *, host: str) -> ASGIApp:
    """Return the UI behind what stands before it.

    Args:
        context: the instance and the code.
        settings: the public addresses.
        host: the address that the server is going to listen on.
    """
    ui = UnderPaths(context, [path_of(url) for url in settings.dagster_url])
    known = Hosts(ui, service=SERVICE, listens_on=host, public_urls=settings.dagster_url)
    return SafeHeaders(known, content_policy=CONTENT_POLICY)


def main() -> None:
    """Serve the UI on the instance of `DAGSTER_HOME` until this process is told to stop."""
    parser = argparse.ArgumentParser(prog="web", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--code", required=True, help="address of the code server")
    asked = parser.parse_args()

    import dagster as dg
    import uvicorn
    from dagster import __version__
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._utils.interrupts import setup_interrupt_handlers
    from dagster._utils.log import configure_loggers

    from meter_pipeline.defs.history_access import keep_access

    address = CodeAddress.of(asked.code)
    configure_loggers(log_level="WARNING")
    setup_interrupt_handlers()
    keep_access()
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(STATEMENT_TIMEOUT_MS, POOL_RECYCLE_S, POOL_OVERFLOW)
        wait_for_code(address)
        with WorkspaceProcessContext(instance, address.target(), version=__version__, read_only=False) as context:
            uvicorn.run(
                guarded_app(context, load_settings(), host=asked.host),
                host=asked.host,
                port=asked.port,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )


if __name__ == "__main__":
    main()
