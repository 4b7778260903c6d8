"""The MLLP listener: many connections, one keeper; an acknowledgement means durable."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import ssl
from collections.abc import Mapping

import uvloop

from healthhub.adapter_api import registry
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.errors import SettingError
from healthhub.keep import Keeper
from healthhub.receive.connection import Budget, Connection
from healthhub.receive.intake import Intake
from healthhub.receive.sender import Peer
from healthhub.settings import Mllp, Settings, Source

log = logging.getLogger(__name__)

ADAPTER = "hl7v2"
CLOSE_SECONDS = 10.0
TELL_SECONDS = 60.0


def run(settings: Settings, dsn: str) -> None:
    """Listen until SIGTERM or SIGINT; what was read by then is kept and answered first."""
    # What was loaded at start stays, and messages leave few cycles behind.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    uvloop.run(_run(settings, dsn))


async def _run(settings: Settings, dsn: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with (
        Keeper(dsn, max_backlog=settings.pipeline.max_backlog) as keeper,
        Listener(settings, keeper) as listener,
    ):
        log.info("mllp listening host=%s port=%d", settings.mllp.host, listener.port)
        await stop.wait()


class Listener:
    """The listening socket and its connections."""

    def __init__(self, settings: Settings, keeper: Keeper) -> None:
        self._mllp = settings.mllp
        self._sources: Mapping[str, Source] = {
            name: source
            for name, source in settings.sources.items()
            if source.adapter == ADAPTER
        }
        self._adapter = registry.find(ADAPTER)
        self._intake = Intake(keeper)
        self._budget = Budget()
        self._open: set[asyncio.Task[None]] = set()
        self._silent: dict[asyncio.Task[None], Connection] = {}
        self._told = -TELL_SECONDS
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Listener:
        self._server = await asyncio.start_server(
            self._accept,
            self._mllp.host,
            self._mllp.port,
            ssl=tls(self._mllp),
            backlog=512,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=CLOSE_SECONDS)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None  # noqa: S101 - entered
        return self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server runs it as a task
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        connection = Connection(
            reader,
            writer,
            _peer(writer),
            self._mllp,
            self._sources,
            self._intake,
            self._adapter,
            self._budget,
        )
        try:
            if len(self._open) > self._mllp.max_connections and not await self._room(
                _peer(writer)
            ):
                await connection.send_away(
                    BadMessage(
                        "too many connections; close some and try again", condition="207"
                    )
                )
                return
            self._silent[task] = connection
            await connection.serve()
        except (ConnectionError, ssl.SSLError, TimeoutError) as error:
            log.info("mllp connection-lost error=%s", type(error).__name__)
        finally:
            self._silent.pop(task, None)
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                async with asyncio.timeout(5):
                    await writer.wait_closed()

    async def _room(self, peer: Peer) -> bool:
        """Close the oldest connection that has sent nothing yet, for one more; False when every
        one has. That there are so many is kept as rejected, now and then."""
        now = asyncio.get_running_loop().time()
        if now - self._told >= TELL_SECONDS:
            self._told = now
            most = self._mllp.max_connections
            error = BadMessage(
                f"over {most} connections are open (mllp.max_connections), the last from "
                f"{peer.address}; let its sender close those that it does not use",
                condition="207",
                place="MLLP",
            )
            await self._intake.turn_away("", self._adapter, b"", f"mllp {peer.address}", error)
        while self._silent:
            task, oldest = next(iter(self._silent.items()))
            del self._silent[task]
            if not oldest.spoken:
                task.cancel()
                return True
        return False


def _peer(writer: asyncio.StreamWriter) -> Peer:
    address = writer.get_extra_info("peername") or ("",)
    certificate = writer.get_extra_info("peercert") or {}
    names = [
        value
        for group in certificate.get("subject", ())
        for key, value in group
        if key == "commonName"
    ]
    return Peer(str(address[0]), names[0] if names else "")


def tls(settings: Mllp) -> ssl.SSLContext | None:
    """The TLS context of the settings; None for plain connections."""
    if settings.tls_certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
        if settings.tls_client_ca is not None:
            context.load_verify_locations(settings.tls_client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise SettingError(
            f"the certificates of mllp cannot be read ({error}); check mllp.tls_certificate, "
            "mllp.tls_key and mllp.tls_client_ca",
            expression="mllp.tls_certificate",
        ) from None
    return context
