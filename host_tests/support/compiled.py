# The firmware as a chip gets it: every module as .mpy, boot.py and main.py as they are.
# A virtual board starts from such a folder as from the sources.
import shutil
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent.parent


def compiled_tree(mpy_cross, folder, repo=REPO):
    """Fill `folder` with the compiled firmware and lib/ of `repo`; returns it as a Path."""
    folder, repo = Path(folder), Path(repo)
    for name in ("boot.py", "main.py"):  # MicroPython runs these two as sources only
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(repo / name, folder / name)
    for top in ("firmware", "lib"):
        for source in sorted((repo / top).rglob("*")):
            name = source.relative_to(repo)
            target = folder / name
            if source.suffix == ".py":
                target.parent.mkdir(parents=True, exist_ok=True)
                # Each module keeps its name in RAM: as short as a traceback can be understood.
                compiled(mpy_cross, source, target.with_suffix(".mpy"),
                         source.relative_to(repo / top).as_posix())
            elif source.suffix in (".json", ".pem", ".html"):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    return folder


def compiled(mpy_cross, source, target, name):
    """Compile one file; `name` is what tracebacks call it: no folder of this machine."""
    command = [mpy_cross, "-s", name, "-o", target, source]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("mpy-cross %s: %s" % (name, done.stderr.strip()))
    return target


def compiled_bytes(folder):
    """Size of all .mpy files below `folder`."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*.mpy"))
