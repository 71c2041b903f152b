# scripts/run as a person starts it: what they see, and what they are told when it is wrong.
import re
import subprocess
import sys

from rig import REPO


def run(*options):
    """(exit code, what it printed)."""
    done = subprocess.run([sys.executable, str(REPO / "scripts" / "run"), *options], text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    return done.returncode, done.stdout


def test_a_run_shows_the_node_from_its_start_to_its_end():
    # It once failed at its first import, and no test started it.
    code, text = run("--for", "8", "--board", "sdm630")
    assert code == 0, text
    for shown in ("mosquitto_pub", "link: connected", "telemetry/power ", "telemetry/power_a ",
                  "telemetry/power_c ", '"reason": "shutdown"'):
        assert shown in text, text
    assert not re.search("Traceback|house:", text), text


def test_a_board_that_is_not_there_is_one_line():
    code, text = run("--board", "toaster")
    assert code == 2
    assert text.count("\n") == 1 and "toaster" in text and "esp32-pzem" in text, text
