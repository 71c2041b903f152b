"""What has to be sent, copied and removed, from what a board should have and what it has."""

import hashlib
import posixpath

APP = "firmware/"
STAGED = "firmware.new/"
_FILES = ("boot.py", "main.py", "config.json", "keys.bin")
ROOTS = ("firmware", "firmware.new", "lib") + _FILES + tuple(name + ".new" for name in _FILES)
_OUR_LIBRARIES = ("slots", "retained", "umqtt")


class Plan:
    """want: {path: content}; have: {path: hash} as the board told; image: for ROMFS, from
    where the application runs then, None if it is among the files; image_due: it has to be
    written, and main.py is away meanwhile.

    runs         whether something starts on the board as it is now
    application  whether the tree firmware/ is not what it should be
    send         {path on the board: content}, beside what is there now
    duplicates   [(from, to)] copied on the board, of files that stay as they are
    drop         removed first: leftovers of an attempt before
    folders      to be made before
    files        those that get their final name at the end, in this order
    stale        removed at the end
    """

    def __init__(self, want, have, image=None, image_due=False):
        self._want = want
        self.runs = "main.py" in have
        self.image = image
        self.image_due = image_due
        wanted = {path: digest(content) for path, content in want.items()}
        app = {path for path in wanted if path.startswith(APP)}
        self.application = image is None and (
            any(have.get(path) != wanted[path] for path in app) or any(
                path.startswith(APP) and path not in wanted for path in have))
        self.send = {}
        self.duplicates = []
        self.drop = ["firmware.new"] if not self.application else [
            path for path in have if path.startswith(STAGED)
            and have[path] != wanted.get(APP + path[len(STAGED):])]
        # The rest in the order in which it takes effect: what the application needs comes first.
        rest = sorted((path for path in wanted if path not in app),
                      key=lambda path: (not path.startswith("lib/"), path))
        self.files = [path for path in rest if have.get(path) != wanted[path]
                      or image_due and path == "main.py"]
        for path in self.files:
            self._stage(path, path + ".new", have, wanted[path])
        if "config.json" in self.files:  # settings on trial would be put over the new ones
            self.drop.append("config.trial.json")
        self.drop += [path for path in have
                      if path.endswith(".new") and path[:-len(".new")] not in self.files]
        for path in sorted(app) if self.application else ():
            self._stage(path, STAGED + path[len(APP):], have, wanted[path])
        self.stale = sorted(
            path for path in have
            if path.startswith("lib/") and path not in wanted and not path.endswith(".new")
            and path[len("lib/"):].split("/")[0].split(".")[0] in _OUR_LIBRARIES)
        self.folders = _parents([*self.send, *(new for _, new in self.duplicates)])

    def _stage(self, path, new, have, wanted):
        if have.get(new) == wanted:
            return
        if have.get(path) == wanted:
            self.duplicates.append((path, new))
        else:
            self.send[new] = self._want[path]

    @property
    def bytes(self):
        """How many bytes go over the line."""
        return sum(map(len, self.send.values()))

    def room(self, block):
        """Bytes that the new files take beside the old ones, in whole blocks; folders take two."""
        new = [len(content) for content in self.send.values()]
        new += [len(self._want[path]) for path, _ in self.duplicates]
        return (sum(-(-size // block) for size in new) + 2 * len(self.folders)) * block

    def missing(self, have):
        """Paths that are not yet what they must be before the switch."""
        expected = {path + ".new": path for path in self.files}
        if self.application:
            expected.update((STAGED + path[len(APP):], path) for path in self._want
                            if path.startswith(APP))
        return sorted(new for new, path in expected.items()
                      if have.get(new) != digest(self._want[path]))


def digest(content):
    """As the board tells it: 32 hex digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:32]


def told(text):
    """{path: hash} from what the board printed."""
    return {path: value for value, path in (line.split(" ", 1) for line in text.splitlines()
                                            if line)}


def _parents(paths):
    folders = set()
    for path in paths:
        parent = posixpath.dirname(path)
        while parent:
            folders.add(parent)
            parent = posixpath.dirname(parent)
    return sorted(folders)
