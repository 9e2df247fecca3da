"""The sandbox over HTTP: signed URLs of single objects, as an object store has them; logs; the REST API."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import os
import tempfile
import threading
from pathlib import Path

from aiohttp import web

from scripts.sandbox.clock import now
from scripts.sandbox.gateway import Gateway
from scripts.sandbox.signed_urls import Refused, Signer, file_within, is_md5

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20
_START_TIMEOUT_S = 30.0


class PortInUse(OSError):
    """Somebody else listens there; the message names the port."""


def reachable(host: str, port: int) -> str:
    """Return where a server that listens on `host` is reached from this machine."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 (somebody else's choice)
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpServer:
    """Serves one storage and one API in a thread of its own, from `start` to `stop`."""

    def __init__(
        self, *, storage: Path, logs: Path, host: str, port: int, secret: bytes, gateway: Gateway
    ) -> None:
        self._storage, self._logs = storage.resolve(), logs.resolve()
        self._gateway = gateway
        self._host, self._port = host, port
        self._secret = secret
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._problem: OSError | None = None
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self.url = ""

    def start(self) -> None:
        """Listen, and know the port.

        Raises:
            PortInUse: the port is taken.
        """
        self._thread.start()
        self._ready.wait(_START_TIMEOUT_S)
        if self._problem is not None:
            raise PortInUse(f"port {self._port} on {self._host} is in use") from self._problem

    @property
    def signer(self) -> Signer:
        """What signs the URLs of objects."""
        return Signer(base=f"{self.url}/objects", secret=self._secret)

    def log_url(self, namespace: str, pod: str) -> str:
        """Return where the log of a pod can be read, as long as its file is there."""
        return self._log_signer.sign("GET", f"{namespace}/{pod}", None)

    @property
    def _log_signer(self) -> Signer:
        return Signer(base=f"{self.url}/log", secret=self._secret + b"log")

    def stop(self) -> None:
        """Stop listening and wait for it."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(_START_TIMEOUT_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application()
        app.router.add_put("/objects/{path:.+}", self._put)
        app.router.add_get("/objects/{path:.+}", self._get)
        app.router.add_get("/log/{path:.+}", self._get_log)
        app.router.add_route("*", "/{path:.*}", self._gateway.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._host, self._port)
            await site.start()
        except OSError as error:
            self._problem = error
        else:
            self._port = runner.addresses[0][1]
            self.url = f"http://{reachable(self._host, self._port)}"
        self._ready.set()
        if self._problem is None:
            await self._stopping.wait()
        await runner.cleanup()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """Give an object out; HEAD is answered with the same URL."""
        _check(self.signer, request, "GET")
        file = file_within(self._storage, request.match_info["path"])
        if file is None or not file.is_file():
            raise web.HTTPNotFound(text="NoSuchKey: there is no such object")
        return web.FileResponse(file)

    async def _get_log(self, request: web.Request) -> web.StreamResponse:
        """Give out what an attempt has printed so far."""
        _check(self._log_signer, request, "GET")
        file = file_within(self._logs, f"{request.match_info['path']}.log")
        if file is None or not file.is_file():
            raise web.HTTPNotFound(text="there is no such log")
        return web.FileResponse(file, headers={"Content-Type": "text/plain; charset=utf-8"})

    async def _put(self, request: web.Request) -> web.Response:
        """Take an object in, whole and with the content that was announced, or not at all."""
        signed = _check(self.signer, request, "PUT")
        given = request.headers.get("Content-MD5", "")
        if signed and given != signed:
            raise web.HTTPForbidden(text="SignatureDoesNotMatch: Content-MD5 is not what was signed")
        if given and not is_md5(given):
            raise web.HTTPBadRequest(text="InvalidDigest: Content-MD5 is no MD5")
        file = file_within(self._storage, request.match_info["path"])
        if file is None:
            raise web.HTTPForbidden(text="AccessDenied: that is not in the storage")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise web.HTTPConflict(text="an object lies where a folder is wanted") from error
        if file.is_dir():
            raise web.HTTPConflict(text="a folder lies where an object is wanted")
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".upload-")
        try:
            digest = await self._receive(request, descriptor)
            if given and digest != given:
                raise web.HTTPBadRequest(text="BadDigest: the content is not what Content-MD5 says")
            Path(temporary).chmod(0o644)
            Path(temporary).replace(file)
        finally:
            Path(temporary).unlink(missing_ok=True)
        return web.Response(headers={"ETag": f'"{base64.b64decode(digest).hex()}"'})

    async def _receive(self, request: web.Request, descriptor: int) -> str:
        digest = hashlib.md5(usedforsecurity=False)
        with os.fdopen(descriptor, "wb") as stream:
            async for chunk in request.content.iter_chunked(_CHUNK_BYTES):
                digest.update(chunk)
                stream.write(chunk)
        return base64.b64encode(digest.digest()).decode()


def _check(signer: Signer, request: web.Request, method: str) -> str:
    """Check a request's signature and return the MD5 that was signed with it."""
    try:
        return signer.check(method, request.match_info["path"], request.query, now())
    except Refused as error:
        raise web.HTTPForbidden(text=f"AccessDenied: {error}") from error
