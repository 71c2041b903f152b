# What tests of updates share: keys, bundles of this tree with something changed, and a hub that
# sends them as scripts/nodectl does.
import sys
import tempfile
from pathlib import Path

from rig import REPO, patched_code

sys.path.insert(0, str(REPO / "scripts"))
from bundling import chip  # noqa: E402

chip.install()
from bundling import container, keys, tree  # noqa: E402
from remote.sender import Sender  # noqa: E402

CHIPS = {"esp32"}
# A trial that is over in seconds.
QUICK = {"firmware/ota/trial.py": [("CONFIRM_MS = 300000", "CONFIRM_MS = 3000"),
                                   ("DEADLINE_MS = 600000", "DEADLINE_MS = 8000")]}


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
        patches = dict(QUICK)
        for path, pairs in (changes or {}).items():
            patches[path] = patches.get(path, []) + pairs
        with tempfile.TemporaryDirectory() as folder:
            code = patched_code(folder, patches)
            files, mpy = tree.collect(code, self._tools.mpy_cross, chips, version, key_file)
        payload = container.pack(files)
        offer = container.offer(payload, version, floor, chips, mpy)
        return payload, container.sign(offer, keys.private_key(self.keys / (key + ".pem")),
                                       **flags)


def serve(node, bundle, request_id):
    """From now on the hub answers requests for blocks of this bundle."""
    node.hub.serve(Sender(bundle[0], bundle[1], request_id))


def push(node, bundle, request_id=None, **more):
    """Offer a bundle and serve its blocks; returns the request id."""
    request_id = request_id or node.hub.new_id()
    serve(node, bundle, request_id)
    node.hub.send("ota", dict(bundle[1], action="offer", request_id=request_id, **more))
    return request_id


def ended(node, request_id, after=0, timeout_s=60.0):
    """The final answer to an offer."""
    return node.hub.wait("response/ota", lambda m: m.json["request_id"] == request_id
                         and m.json["status"] != "progress", after, timeout_s).json


def states(node, after=0):
    """The states that were told, each once, in their order."""
    found = []
    for message in node.hub.seen("response/ota", after):
        state = (message.json["result"] or {}).get("state")
        if state and state not in found:
            found.append(state)
    return found
