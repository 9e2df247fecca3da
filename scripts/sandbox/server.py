"""One sandbox: its parts put together, started and stopped."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc

from scripts.sandbox.attributes import Attributes
from scripts.sandbox.attributes_api import AttributesApi
from scripts.sandbox.database import Database
from scripts.sandbox.dataproxy_api import DataProxyApi
from scripts.sandbox.dispatch import Calls, handlers
from scripts.sandbox.engine_parts import build_engine
from scripts.sandbox.entities import Entities
from scripts.sandbox.entities_api import EntitiesApi
from scripts.sandbox.entity_lists import EntityLists
from scripts.sandbox.executions import Executions
from scripts.sandbox.executions_api import ExecutionsApi
from scripts.sandbox.gateway import Gateway, is_local
from scripts.sandbox.http_server import HttpServer, PortInUse, reachable
from scripts.sandbox.named_entities_api import NamedEntitiesApi
from scripts.sandbox.node_reads import NodeReads
from scripts.sandbox.nodes_api import NodesApi
from scripts.sandbox.options import Options
from scripts.sandbox.projects import Projects
from scripts.sandbox.projects_api import ProjectsApi
from scripts.sandbox.runtimes import make_runtime
from scripts.sandbox.schedule_table import ScheduleTable
from scripts.sandbox.scheduler import Scheduler
from scripts.sandbox.signals_api import SignalsApi
from scripts.sandbox.spans import Spans
from scripts.sandbox.state import StateFolder, Status
from scripts.sandbox.storage import Storage

log = logging.getLogger(__name__)

PROJECTS = ("flytesnacks", "taxiway")
_MAX_RECEIVE_BYTES = 4 * 1024 * 1024
_THREADS = 16
_STOP_GRACE_S = 2.0
_LOOPBACK = ("127.0.0.1", "localhost")


class Sandbox:
    """A Flyte in one process. Whoever starts it holds the lock of its state folder.

    Made, it raises EngineUnreachable where its runtime needs a container engine and none answers, and
    EngineNotShareable where one that has no socket is to be shared.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self.folder = StateFolder(options.state.resolve())
        self.folder.make()
        runtime, defaults = make_runtime(options, self.folder)
        self._db = db = Database(self.folder.database)
        storage = Storage(self.folder.storage)
        projects, attributes = Projects(db), Attributes(db)
        projects.ensure(*PROJECTS)
        entities = Entities(db, projects, attributes)
        executions = Executions(db, entities, projects, attributes, storage)
        self._engine = build_engine(
            db=db,
            entities=entities,
            executions=executions,
            storage=storage,
            runtime=runtime,
            work=self.folder.work,
            logs=self.folder.logs,
            log_uri=lambda namespace, pod: self._http.log_url(namespace, pod),
            defaults=defaults,
        )
        self._scheduler = Scheduler(ScheduleTable(db), executions)
        entities.wake = self._scheduler.wake
        nodes = NodesApi(db, NodeReads(db, storage))
        servicers = (
            EntitiesApi(entities, EntityLists(db)),
            ExecutionsApi(executions, Spans(db)),
            nodes,
            ProjectsApi(projects),
            NamedEntitiesApi(db),
            AttributesApi(attributes, projects),
            SignalsApi(db),
            DataProxyApi(storage, lambda: self._http.signer, nodes),
        )
        self._calls = Calls(servicers, options.principal)
        self._gateway = Gateway(self._calls, local=is_local(options.host))
        self._http = self._http_server(self._wanted_http_port())
        self._grpc: grpc.Server | None = None

    def start(self) -> Status:
        """Serve, take up what has not ended, and say how to reach it.

        Raises:
            PortInUse: a port that was asked for is taken.
        """
        server, port = self._grpc_server()
        try:
            self._start_http()
            self._engine.start()
            server.start()
        except BaseException:
            self._http.stop()
            server.stop(None)
            raise
        self._grpc = server
        host = "localhost" if self._options.host in _LOOPBACK else self._options.host
        status = Status(
            endpoint=reachable(host, port),
            http=self._http.url,
            config=str(self.folder.config),
            state=str(self.folder.root),
            storage=str(self.folder.storage),
            default_image=self._options.default_image,
            pid=os.getpid(),
            runtime=self._options.runtime.value,
        )
        self.folder.publish(status)
        self._scheduler.start()
        log.info("serving at %s, state in %s", status.endpoint, status.state)
        return status

    def stop(self) -> None:
        """Refuse new calls, end every task that runs, and wait for both; what is open stays open."""
        if self._grpc is not None:
            self._grpc.stop(_STOP_GRACE_S).wait()
        self._scheduler.stop()
        self._engine.stop()
        self._http.stop()
        self._gateway.close()
        self._db.close()
        self.folder.withdraw()
        log.info("stopped")

    def _grpc_server(self) -> tuple[grpc.Server, int]:
        server = grpc.server(
            ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="grpc"),
            options=[
                ("grpc.max_receive_message_length", _MAX_RECEIVE_BYTES),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
            ],
        )
        server.add_generic_rpc_handlers(tuple(handlers(self._calls)))
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        try:
            port = server.add_insecure_port(f"{host}:{self._options.port}")
        except RuntimeError as error:
            raise PortInUse(f"port {self._options.port} on {self._options.host} is in use") from error
        return server, port

    def _http_server(self, port: int) -> HttpServer:
        return HttpServer(
            storage=self.folder.storage,
            logs=self.folder.logs,
            host=self._options.host,
            port=port,
            secret=self.folder.secret(),
            gateway=self._gateway,
        )

    def _wanted_http_port(self) -> int:
        """URLs of logs are kept with executions, so the same port is taken again where that is possible."""
        if self._options.http_port is not None:
            return self._options.http_port
        last = self.folder.last_status()
        return 0 if last is None else urlsplit(last.http).port or 0

    def _start_http(self) -> None:
        try:
            self._http.start()
        except PortInUse:
            if self._options.http_port:
                raise
            self._http = self._http_server(0)
            self._http.start()
