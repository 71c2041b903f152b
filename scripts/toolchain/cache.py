# The cache folder: fetched and built things, one folder per set of pins.
# An entry is used only when its stamp exists, and built under a lock, so that two scripts may
# start at once and an interrupted set-up leaves nothing that looks finished.
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time

_STAMP = ".complete"


class SetupError(Exception):
    """Set-up cannot go on; the text is one line that says what to do."""


def root():
    """The cache folder: $HOMESYNC_CACHE, else homesync-node below the user's cache folder."""
    chosen = os.environ.get("HOMESYNC_CACHE")
    if not chosen:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        chosen = os.path.join(base, "homesync-node")
    return os.path.abspath(chosen)


def entry(name, pins, build, proofs, title):
    """Return the folder that `build(folder)` fills once for each content of `pins`.

    `pins` is text: everything the content depends on. `proofs` are paths in the folder; the
    entry is built again when one has gone (the Python below a venv was removed, say). `title` is
    printed when work is done. The folder is built in place, not moved there: a venv and the
    wrapper scripts contain their own path.
    """
    digest = hashlib.sha256(pins.encode()).hexdigest()[:12]
    folder = os.path.join(root(), "%s-%s" % (name, digest))
    if _complete(folder, proofs):
        return folder
    os.makedirs(root(), exist_ok=True)
    with _lock(folder + ".lock"):
        if not _complete(folder, proofs):
            with step(title):
                shutil.rmtree(folder, ignore_errors=True)
                os.makedirs(folder)
                build(folder)
                open(os.path.join(folder, _STAMP), "w").close()
                if not _complete(folder, proofs):
                    raise SetupError("%s: incomplete after set-up, see %s" % (title, folder))
    return folder


def _complete(folder, proofs):
    return all(os.path.exists(os.path.join(folder, name)) for name in (_STAMP,) + proofs)


@contextlib.contextmanager
def _lock(path):
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up to finish\n")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def step(title):
    """Print `title`, and the time it took once it is done."""
    start = time.monotonic()
    say(title + " ... ")
    try:
        yield
    except BaseException:
        sys.stderr.write("failed\n")
        raise
    sys.stderr.write("%.1f s\n" % (time.monotonic() - start))


def say(text):
    """Progress goes to stderr: stdout belongs to the script (`scripts/bench --json`)."""
    sys.stderr.write("set-up: " + text)
    sys.stderr.flush()


def run(command, purpose):
    """Run `command` quietly and return its stdout; a failure is a SetupError of one line."""
    # Its messages are quoted, so they should be English; stdin is closed so nothing asks.
    environment = dict(os.environ, LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive")
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=environment)
    if done.returncode:
        raise SetupError("%s failed: %s" % (purpose, _reason(done)))
    return done.stdout


def _reason(done):
    # pip and apt mark the lines that matter; the first one names the cause.
    lines = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines()]
    lines = [line for line in lines if line]
    marked = [line for line in lines if line.startswith(("E:", "ERROR:", "Error:"))]
    if marked:
        return marked[0]
    return lines[-1] if lines else "exit code %d" % done.returncode
