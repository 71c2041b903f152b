# What tests of updates share: keys, bundles of this tree with something changed, and a hub that
# sends them as scripts/nodectl does.
import functools
import hashlib
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rig import REPO, patched_code

sys.path.insert(0, str(REPO / "scripts"))
from bundling import chip  # noqa: E402

chip.install()
from bundling import container, keys, tree  # noqa: E402
from host_tests.support.compiled import compiled  # noqa: E402
from remote.sender import Sender  # noqa: E402

CHIPS = {"esp32"}
# A trial that is over in seconds.
QUICK = {"firmware/ota/trial.py": [("CONFIRM_MS = 300000", "CONFIRM_MS = 2000"),
                                   ("DEADLINE_MS = 600000", "DEADLINE_MS = 8000")]}
# A board that loses no time with people who want to flash it, and asks again after a second.
HASTY = {"main.py": [("GRACE_MS = 2000", "GRACE_MS = 100")],
         "firmware/ota/blocks.py": [("_WAIT_MS = const(5000)", "_WAIT_MS = const(1000)")]}
# Verifying and installing take seconds, as on a chip, so that something can happen meanwhile.
SLOW_INSTALL = {"firmware/ota/updater.py": [
    ("        for _ in unpack(stage, None, room, self._host.beat):\n",
     "        for _ in unpack(stage, None, room, self._host.beat):\n"
     "            __import__('time').sleep_ms(10)\n"),
    ("                self._at(stage.tell())\n",
     "                self._at(stage.tell())\n                __import__('time').sleep_ms(20)\n"),
]}
# A version that fails at its import.
CRASHES = {"firmware/app.py": [("\n\ndef build(",
                                "\nraise RuntimeError('not today')\n\n\ndef build(")]}


class Bundles:
    """Makes signed bundles. `keys` is the folder with the key pairs and keys.bin."""

    def __init__(self, tools):
        self._tools = tools
        self._folder = tempfile.TemporaryDirectory(prefix="bundles-")
        self.keys = Path(self._folder.name) / "keys"
        keys.generate(self.keys)

    def close(self):
        self._folder.cleanup()

    def make(self, version, changes=None, floor=0, key="active", key_file=None, chips=CHIPS,
             **flags):
        """(payload, offer) of this tree as `version`; changes: more texts to replace, as for
        `patched_code`. flags: of `container.sign`."""
        patches = {"firmware/__init__.py": [('VERSION = "%s"' % tree.told(REPO, "VERSION"),
                                             'VERSION = "%s"' % version)]}
        for more in (QUICK, changes or {}):
            for path, pairs in more.items():
                patches[path] = patches.get(path, []) + pairs
        same, mpy = _collected(self._tools.mpy_cross)
        boards = tree.boards(REPO)
        files = {name: same[name] for name in same if boards.get(name) in (None, *chips)}
        with tempfile.TemporaryDirectory() as folder:
            code = patched_code(folder, patches)
            for path in patches:
                target = (code / path).with_suffix(".mpy")
                files[path[:-2] + "mpy"] = compiled(
                    self._tools.mpy_cross, code / path, target, path).read_bytes()
        if key_file:
            files["keys.bin"] = key_file
        payload = container.pack(files)
        return payload, self.sign(container.offer(payload, version, floor, chips, mpy), key,
                                  **flags)

    def sign(self, offer, key="active", **flags):
        """The offer, signed (again)."""
        return container.sign(offer, keys.private_key(self.keys / (key + ".pem")), **flags)


@functools.lru_cache(maxsize=None)
def _collected(mpy_cross):
    # Most files are the same in all bundles, and to compile them takes seconds.
    return tree.collect(REPO, mpy_cross, set(tree.boards(REPO).values()),
                        tree.told(REPO, "VERSION"))


class _PartSender(Sender):
    """Sends only the first bytes of a bundle."""

    def __init__(self, most, *arguments):
        super().__init__(*arguments)
        self._most = most

    def answer(self, message):
        need = (message["result"] or {}).get("need")
        return super().answer(message) if need and need["offset"] < self._most else None


def serve(node, bundle, request_id, most=None):
    """From now on the hub answers requests for blocks of this bundle that begin before the byte
    `most`, None: all of them."""
    node.hub.serve(_PartSender(len(bundle[0]) if most is None else most, *bundle, request_id))


def push(node, bundle, request_id=None, most=None, **more):
    """Offer a bundle and serve its blocks; returns the request id."""
    request_id = request_id or node.hub.new_id()
    serve(node, bundle, request_id, most)
    node.hub.send("ota", dict(bundle[1], action="offer", request_id=request_id, **more))
    return request_id


def order(node, action, **fields):
    """The first answer to another command/ota."""
    request_id, after = node.hub.new_id(), node.hub.mark()
    node.hub.send("ota", dict(fields, action=action, request_id=request_id))
    return node.hub.wait("response/ota", lambda m: m.json["request_id"] == request_id, after).json


def ended(node, request_id, after=0, timeout_s=60.0):
    """The final answer to an offer."""
    return node.hub.wait("response/ota", lambda m: m.json["request_id"] == request_id
                         and m.json["status"] != "progress", after, timeout_s).json


def told(node, request_id, state, after=0, timeout_s=30.0):
    """The first progress that tells this state."""
    return node.hub.wait("response/ota", lambda m: m.json["request_id"] == request_id
                         and m.json["status"] == "progress"
                         and m.json["result"]["state"] == state, after, timeout_s)


def needs(node, after=0):
    """The offsets of the blocks that were asked for."""
    results = [message.json["result"] or {} for message in node.hub.seen("response/ota", after)]
    return [result["need"]["offset"] for result in results if "need" in result]


def stalled_at(node, offset, after=0):
    """Wait until the node asks for the block at this byte, which nobody sends."""
    return node.hub.wait("response/ota", lambda m: ((m.json["result"] or {}).get("need") or {})
                         .get("offset") == offset, after, 30)


def states(node, after=0):
    """The states that were told, each once, in their order."""
    found = []
    for message in node.hub.seen("response/ota", after):
        state = (message.json["result"] or {}).get("state")
        if state and state not in found:
            found.append(state)
    return found


def install(node, slot, bundle):
    """Fill and seal a slot, as an update would have."""
    payload, offer = bundle
    seal = json.dumps({"id": offer["bundle"][:8], "version": offer["version"],
                       "floor": offer["floor"]}) + "\n"
    for name, content in sorted(container.files_of(payload, slot).items()):
        path = node.flash / slot / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        seal += "%s %s\n" % (name, hashlib.sha256(content).hexdigest())
    (node.flash / slot / "seal").write_text(seal + hashlib.sha256(seal.encode()).hexdigest())


def choose(node, slot, floor=0):
    """The next boot starts this slot, confirmed."""
    state = json.dumps([slot, -1, "", floor, [], ""])
    (node.flash / "slots.state").write_text(state + hashlib.sha256(state.encode()).hexdigest()[:8])


def slots_state(node):
    """[active, tries left or -1, previous, floor, bad, reason], as lib/slots.py keeps them."""
    return json.loads((node.flash / "slots.state").read_bytes()[:-8])


def updatable(new_node, bundles, prepare=None, **options):
    """A node that takes updates, with relay 0 on and its meter answering. prepare(node) is called
    before it starts; options: of a Rig."""
    node = new_node(**options)
    shutil.copy(bundles.keys / "keys.bin", node.flash / "keys.bin")
    if prepare:
        prepare(node)
    node.start()
    node.board.wait_for_line("meter answers", 10)
    node.hub.ask("relay", "on")
    return node


def firmware(node, after=0, **wanted):
    """The first status/firmware with these values."""
    return node.hub.wait("status/firmware", lambda m: all(
        m.json.get(key) == value for key, value in wanted.items()), after, 60).json


def is_clean(node):
    """Whether nothing is left of the update, soon after its last word."""
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if not any((node.flash / name).exists() for name in ("update.json", "update.stage")):
            return True
        time.sleep(0.05)
    return False
