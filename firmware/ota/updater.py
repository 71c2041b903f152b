# Carries an update out: fetches the bundle, checks it, fills the spare slot, switches.
import sys
from hashlib import sha256
from time import ticks_diff, ticks_ms

from micropython import const

from .. import ondemand
from ..mqtt.commands import Refused
from . import job as jobs
from .bundle import BadBundle, TooLarge, unpack
from .ending import Ending

RESERVE_BYTES = 32768  # of flash, for everything else
_BLOCK_BYTES = const(4096)  # a flash block too: with each of them what is written is safe
_SMALL_BLOCK_BYTES = const(2048)
_READ_BYTES = const(512)
_TELL_MS = const(10000)
_ENOSPC = const(28)


class Updater:
    """One job, from its offer to the restart into the new version.

    host: `Updates`; job: as in job.py; offer: the `Offer` in it, checked. The foreground calls
    `step` while online; each call takes little time, but for flash.
    """

    def __init__(self, host, job, offer):
        self.id = offer.id
        self._host = host
        self._job = job
        self._offer = offer
        # "downloading" → "verifying" → "installing" → "restarting"
        self.state = "downloading"
        self.blocks = None  # what takes blocks, while they come over MQTT
        self._have = jobs.staged() or 0
        self._percent = self._told_percent = self._have * 100 // offer.size
        self._told_ms = ticks_ms()
        self._steps = self._run()

    @property
    def request_id(self):
        return self._job["request_id"]

    def attach(self, request_id):
        """Whoever offers the same bundle again gets the answers from now on."""
        self._job["request_id"] = request_id
        jobs.keep(self._job)
        if self.blocks:
            self.blocks.again()

    def step(self):
        """Go on; returns what comes next: as a rule, itself."""
        try:
            next(self._steps)
            return self
        except Refused as e:
            return self.give_up(*e.args)
        except BadBundle as e:
            return self.give_up("no_space" if isinstance(e, TooLarge) else "bad_bundle", str(e))
        except OSError as e:
            return self.give_up("no_space" if e.errno == _ENOSPC else "flash", repr(e))
        except ValueError as e:  # of slots
            return self.give_up("flash", str(e))

    def give_up(self, code, message):
        """It ends here: returns its `Ending`."""
        self._steps.close()
        return Ending(self._host, self._job, (code, message))

    def result(self):
        """How far it is, for an answer."""
        return {"state": self.state, "percent": self._percent, "version": self._offer.version}

    # The steps, as generators: each yield leaves the foreground to others

    def _run(self):
        yield from self._download()
        self.blocks = None
        self._enter("verifying")
        yield
        stage = open(jobs.STAGE, "rb")
        try:
            if self._digest(stage) != self._offer.bundle:
                raise Refused("bad_hash", "what came does not have the hash of the offer")
            yield
            yield from self._install(stage)
        finally:
            stage.close()
        while True:  # until the restart
            yield

    def _download(self):
        if self._have > self._offer.size:
            open(jobs.STAGE, "wb").close()
            self._have = 0
        pieces = self._pieces()
        stage = open(jobs.STAGE, "ab")
        try:
            for piece in pieces:
                if piece:
                    before = self._have // _BLOCK_BYTES
                    stage.write(piece)
                    self._have += len(piece)
                    if self._have // _BLOCK_BYTES != before:
                        stage.flush()
                    self._at(self._have)
                yield
        finally:
            pieces.close()
            stage.close()

    def _pieces(self):
        host, offer = self._host, self._offer
        if offer.url:
            return ondemand.load("ota.http").pieces(
                offer.url, offer.size, self._count, host.stream.resolver, host.secure)
        most = _SMALL_BLOCK_BYTES if host.chip == "esp8266" else _BLOCK_BYTES
        self.blocks = ondemand.load("ota.blocks").Blocks(
            offer.bundle, offer.size, most, host.stream, host.session, self._ask)
        return self.blocks.pieces(self._count)

    def _install(self, stage):
        import slots
        offer, beat = self._offer, self._host.beat
        room = slots.spare().room() - RESERVE_BYTES
        try:  # nothing is written before all of it is good
            yield from self._look_through(stage, room)
        except TooLarge:
            if not slots.drop_beside(beat):
                raise
            room = slots.spare().room() - RESERVE_BYTES
            yield from self._look_through(stage, room)
        self._enter("installing")
        yield
        folder = slots.begin(beat)
        stage.seek(0)
        try:
            for _ in folder.seal({"id": offer.id, "version": offer.version, "floor": offer.floor,
                                  "mpy": sys.implementation._mpy},
                                 unpack(stage, folder, room, beat)):
                self._at(stage.tell())
                yield
        except Exception:
            folder.begin()  # what it took is free again
            raise
        self._enter("restarting")
        self._job["armed"] = self._job.get("armed", 0) + 1
        jobs.keep(self._job)
        slots.switch(folder, offer.force)
        jobs.unstage()
        self._host.node.restart("update")

    def _look_through(self, stage, room):
        stage.seek(0)
        for _ in unpack(stage, None, room, self._host.beat):
            yield

    def _digest(self, stage):
        digest = sha256()
        block = memoryview(bytearray(_READ_BYTES))
        while True:
            self._host.beat()
            n = stage.readinto(block)
            if not n:
                return digest.digest()
            digest.update(block[:n])

    # What is told

    def _count(self):
        return self._have

    def _ask(self, offset, n):
        result = self.result()
        result["need"] = {"bundle": self._offer.id, "offset": offset, "bytes": n}
        self._host.tell(self.request_id, result)

    def _enter(self, state):
        self.state = state
        self._percent = 0
        self._tell()

    def _at(self, done):
        self._percent = min(done * 100 // self._offer.size, 100)
        if self.blocks is None and (self._percent >= self._told_percent + 10 or
                                    ticks_diff(ticks_ms(), self._told_ms) >= _TELL_MS):
            self._tell()  # requests for blocks tell it, too

    def _tell(self):
        self._told_percent = self._percent
        self._told_ms = ticks_ms()
        self._host.tell(self.request_id, self.result())
