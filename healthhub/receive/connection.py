"""One MLLP connection: reads ahead while earlier messages are committed, answers in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from healthhub.adapter_api.adapter import Adapter
from healthhub.adapter_api.bad_message import BadMessage
from healthhub.receive import sender
from healthhub.receive.frames import Frame, Frames, frame
from healthhub.receive.intake import Intake, Promise, fault
from healthhub.receive.sender import Peer, Stranger
from healthhub.settings import Mllp, Source

log = logging.getLogger(__name__)

READ_BYTES = 64 * 2**10
IN_FLIGHT = 64
"""Messages of one connection that may wait for their commit."""
BUDGET_BYTES = 128 * 2**20
STRANGER_BYTES = 64 * 2**10
"""What is read of a sender whose address is nobody's: enough to show what it sends."""


class Budget:
    """Bytes of unfinished frames that one process holds, of all its connections."""

    def __init__(self, most: int = BUDGET_BYTES) -> None:
        self._most = most
        self._held = 0

    def change(self, by: int) -> bool:
        """Account for bytes taken or given back; False when there are too many."""
        self._held += by
        return self._held <= self._most


class Connection:
    """Reads frames, hands each to the intake, and sends the answers in order."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Peer,
        limits: Mllp,
        sources: Mapping[str, Source],
        intake: Intake,
        adapter: Adapter,
        budget: Budget,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._peer, self._limits, self._sources = peer, limits, sources
        self._intake, self._adapter, self._budget = intake, adapter, budget
        self._frames = Frames()
        self.spoken = False
        """Whether it has sent a message yet."""
        self._promises: asyncio.Queue[Promise | None] = asyncio.Queue(IN_FLIGHT)
        known = any(sender.admits(source, peer.address) for source in sources.values())
        self._most = limits.max_frame_bytes if known else STRANGER_BYTES
        self._idle = limits.idle_seconds if known else limits.frame_seconds
        self._strayed = 0
        self._begun = 0.0
        self._accounted = 0
        self._via = f"mllp {peer.address}"

    async def serve(self) -> None:
        """Until the other end closes, is silent for too long, or breaks a limit."""
        answering = asyncio.create_task(self._answer())
        try:
            await self._read()
        except asyncio.CancelledError:
            log.info("mllp closing peer=%s", self._peer.address)
        except ConnectionError:
            await self._unfinished("the connection broke before the frame ended", tell=False)
        finally:
            self._account(0)
            if not answering.done():
                await self._promises.put(None)
            await answering

    async def send_away(self, refusal: BadMessage) -> None:
        """Answer that nothing is taken now."""
        answer = self._adapter.acknowledge(None, "error", refusal.message, refusal)
        self._writer.write(frame(answer))
        await self._writer.drain()

    async def _read(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    data = await self._reader.read(READ_BYTES)
            except TimeoutError:
                await self._unfinished("the frame did not end in time; send it in one piece")
                return
            if not data:
                reason = "the connection was closed before the frame ended"
                await self._unfinished(reason, tell=self._frames.pending > 0)
                return
            before = self._frames.pending
            for each in self._frames.feed(data):
                before = 0
                if not await self._take(each):
                    return
            if not before:
                self._begun = asyncio.get_running_loop().time()
            if not await self._within_limits():
                return

    def _patience(self) -> float:
        """Seconds until the frame at hand must have ended, or the next must have begun."""
        if not self._frames.pending and not self._frames.inside:
            return min(self._limits.idle_seconds, self._idle)
        spent = asyncio.get_running_loop().time() - self._begun
        return max(0.0, self._limits.frame_seconds - spent)

    async def _take(self, each: Frame) -> bool:
        """Hand one frame over; False when the connection shall end."""
        if each.stray:
            return await self._within_strays(each)
        self._strayed, self.spoken = 0, True
        found = sender.recognise(self._sources, self._peer, each.raw)
        if isinstance(found, Stranger):
            error = BadMessage(found.advice, condition="204", place="MSH-3")
            await self._promise(
                await self._intake.turn_away("", self._adapter, each.raw, self._via, error)
            )
            return False
        name, source = found
        await self._promise(
            await self._intake.take(name, source, self._adapter, each.raw, self._via)
        )
        return True

    async def _within_strays(self, each: Frame) -> bool:
        """Keep stray bytes; a sender of nothing else would fill the disk, so it is told once
        it has sent as much as a frame may hold."""
        promise = await self._keep_stray(each)
        self._strayed += len(each.raw)
        if self._strayed <= self._most:
            return True
        await self._promise(promise)
        return False

    async def _within_limits(self) -> bool:
        if self._frames.pending > self._most:
            most = self._most
            await self._unfinished(f"the frame is longer than {most} bytes; send less in one")
            return False
        if not self._account(self._frames.pending):
            await self._promises.join()
            await self.send_away(BadMessage("the hub is busy; send again", condition="207"))
            return False
        return True

    def _account(self, pending: int) -> bool:
        by, self._accounted = pending - self._accounted, pending
        return self._budget.change(by) or by <= 0

    async def _unfinished(self, reason: str, *, tell: bool = True) -> None:
        """Keep the bytes of a frame that will never end, and say so."""
        rest = self._frames.rest(reason)
        if rest is not None:
            promise = await self._keep_stray(rest)
            if tell:
                await self._promise(promise)

    async def _keep_stray(self, stray: Frame) -> Promise:
        """Bytes that are no message are kept as rejected. They get no answer where a message
        follows: its sender would take the answer for that of the message."""
        error = BadMessage(stray.stray, condition="100", place="MLLP")
        found = sender.recognise(self._sources, self._peer, stray.raw)
        name = "" if isinstance(found, Stranger) else found[0]
        return await self._intake.turn_away(name, self._adapter, stray.raw, self._via, error)

    async def _promise(self, promise: Promise) -> None:
        await self._promises.put(promise)

    async def _answer(self) -> None:
        """Send answers in the order of their messages; go on keeping when nobody listens."""
        listening = True
        while (promise := await self._promises.get()) is not None:
            try:
                answer = await promise.answer()
                if listening and answer.acknowledgement:
                    self._writer.write(frame(answer.acknowledgement))
                    async with asyncio.timeout(self._limits.idle_seconds):
                        await self._writer.drain()
            except (ConnectionError, TimeoutError):
                listening = False
                self._writer.transport.abort()
            except Exception as error:  # noqa: BLE001 - without an answer the sender sends again
                fault("answer", error)
                listening = False
                self._writer.transport.abort()
            finally:
                self._promises.task_done()
