# Newer versions of umqtt than those on PyPI, as stock firmware freezes them: the fetched files
# with what has changed since put behind them, since nothing of theirs may be in this repository.
import shutil
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_LIB = _HERE.parents[2] / "lib"

# Name: texts put behind umqtt/simple.py 1.3.4 and behind umqtt/robust.py 1.0, in this order.
VERSIONS = {
    "1.7.0": {"simple": ["1_7_0"], "robust": ["1_0_2"]},  # MicroPython 1.27 and 1.28
    "1.8.0": {"simple": ["1_7_0", "1_8_0"], "robust": ["1_0_2", "1_0_3"]},  # not yet in one
}


def install(version, lib):
    """Write umqtt of this version of umqtt.simple into the folder `lib`/umqtt."""
    target = Path(lib) / "umqtt"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name, changes in VERSIONS[version].items():
        texts = [_LIB / "umqtt" / f"{name}.py"]
        texts += [_HERE / f"{name}_{change}.py" for change in changes]
        (target / f"{name}.py").write_text("\n\n".join(text.read_text() for text in texts))
