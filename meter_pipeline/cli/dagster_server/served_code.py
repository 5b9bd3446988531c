"""What the code server answers: as Dagster's own, with a process ready for the next run, and reloads by itself."""

from __future__ import annotations

import gc
import logging
import sys
import threading
import uuid
from typing import Any

from dagster._core.definitions import instigation_logger
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import FuturesAwareThreadPoolExecutor
from dagster._grpc.__generated__ import dagster_api_pb2
from dagster._grpc.server import DagsterApiServer, DagsterGrpcServer, LoadedRepositories
from dagster._utils.error import serializable_error_info_from_exc_info

from meter_pipeline.cli.dagster_server.code_address import LOCATION, MODULE, CodeAddress
from meter_pipeline.cli.dagster_server.run_processes import RunProcesses
from meter_pipeline.settings import PROJECT_DIR

OURS = "meter_pipeline."
NOT_LOADED_AGAIN = "meter_pipeline.cli."
ANSWERS_AT_A_TIME = 16


class ServedCode(DagsterApiServer):
    """Serves the graph of this project.

    "Reload definitions" loads it again in this process: its modules are imported anew, so that changed settings and
    changed code count. Runs under way go on with what they have loaded. (Dagster's own server for this purpose keeps a
    second process for it.)
    """

    def __init__(self, termination: threading.Event, threads: FuturesAwareThreadPoolExecutor) -> None:
        self._reload = threading.Lock()
        super().__init__(
            server_termination_event=termination,
            logger=logging.getLogger("dagster.code_server"),
            server_threadpool_executor=threads,
            loadable_target_origin=LoadableTargetOrigin(
                executable_path=sys.executable, module_name=MODULE, working_directory=str(PROJECT_DIR)
            ),
            lazy_load_user_code=True,
            inject_env_vars_from_instance=True,
            location_name=LOCATION,
        )
        self._mp_ctx: Any = RunProcesses()
        self._mp_ctx.prepare()

    def ReloadCode(self, _request: dagster_api_pb2.ReloadCodeRequest, _context: Any) -> dagster_api_pb2.ReloadCodeReply:
        """Load the code again; where that fails, say so to whoever asks for it."""
        with self._reload:
            _forget_modules()
            try:
                self._loaded_repositories = LoadedRepositories(
                    self._loadable_target_origin,
                    entry_point=self._entry_point,
                    container_image=self._container_image,
                    container_context=self._container_context,
                    code_location_name=LOCATION,
                )
                self._serializable_load_error = None
            except Exception:
                self._loaded_repositories = None
                self._serializable_load_error = serializable_error_info_from_exc_info(sys.exc_info())
                self._logger.exception("Error while importing code")
            self._server_id = str(uuid.uuid4())  # by which the others notice
            self._mp_ctx.renew()
            gc.collect()
        return dagster_api_pb2.ReloadCodeReply()

    def cleanup(self) -> None:
        """End the server without waiting for runs under way, which end with this process's group."""
        self._mp_ctx.close()
        self._server_termination_event.set()
        super().cleanup()


def serve(address: CodeAddress) -> None:
    """Serve the code until this process is told to stop."""
    _log_warnings_of_sensors_alone()
    termination, threads = threading.Event(), FuturesAwareThreadPoolExecutor(ANSWERS_AT_A_TIME)
    DagsterGrpcServer(
        server_termination_event=termination,
        dagster_api_servicer=ServedCode(termination, threads),
        logger=logging.getLogger("dagster.code_server"),
        threadpool_executor=threads,
        host="localhost",
        port=address.port or None,
        socket=address.socket or None,
    ).serve()


def _forget_modules() -> None:
    """Let what is imported next be read anew, but for what this server itself consists of."""
    for name in [name for name in sys.modules if name.startswith(OURS) and not name.startswith(NOT_LOADED_AGAIN)]:
        del sys.modules[name]
    ReconstructableJob.get_definition.cache_clear()
    ReconstructableJob.get_repository_definition.cache_clear()


def _log_warnings_of_sensors_alone() -> None:
    """Keep what sensors say of each look off the terminal; the UI has it at each tick."""
    create = instigation_logger.create_console_logger

    def of_warnings(name: str, level: str | int) -> logging.Logger:
        return create(name, max(logging.WARNING, level) if isinstance(level, int) else level)

    instigation_logger.create_console_logger = of_warnings
