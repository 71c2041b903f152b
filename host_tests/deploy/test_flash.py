# scripts/flash from an empty chip to a node on the broker, and what it does the next times.
import json
import shutil
import subprocess
import time


def online(hub, after=0):
    return hub.wait("status/online", lambda m: m.json["online"] and not m.retain, after, 30)


def test_an_empty_chip_becomes_a_node_on_the_broker(new_bench, config, hub, settings):
    bench = new_bench()
    assert bench.run("--config", config()) == 0
    assert "online     homesync/home/nodes/flashed" in bench.said[-1]
    password = json.loads((bench.flash / "portal.json").read_text())["password"]
    assert "has the password " + password in bench.said[-1]
    assert online(hub)
    assert json.loads((bench.flash / "config.json").read_text()) == settings
    names = set(bench.files())
    assert {"boot.py", "main.py", "lib/slots.mpy", "lib/umqtt/simple.mpy", "firmware/app.mpy",
            "firmware/roots.pem", "firmware/boards/esp32-pzem.json"} <= names
    assert not [name for name in names if name.endswith(".new") or "nodemcu" in name]
    assert not (bench.flash / "firmware.new").exists()




def test_the_second_time_copies_nothing(bench, hub):
    began = time.monotonic()
    assert bench.run() == 0
    taken_s = time.monotonic() - began
    assert bench.copied == (0, 0)
    assert online(hub)
    assert taken_s < 20  # 3 s, on a machine that has nothing else to do


def test_one_changed_file_copies_one_and_a_deleted_one_goes(new_bench, own_source, flashed):
    bench = new_bench(template=flashed[0], source=own_source)
    (own_source / "firmware/extra.py").write_text("NUMBER = 1\n")
    assert bench.run() == 0
    assert bench.copied[0] == 1
    first = bench.files()
    assert "firmware/extra.mpy" in first
    (own_source / "firmware/extra.py").unlink()
    assert bench.run() == 0
    assert bench.copied == (0, 0)
    assert set(bench.files()) == set(first) - {"firmware/extra.mpy"}
    assert not (bench.flash / "firmware.old").exists()


def test_sources_copied_by_hand_do_not_stay_in_front_of_compiled_ones(bench, source):
    shutil.copy(source / "lib/slots.py", bench.flash / "lib/slots.py")
    (bench.flash / "lib/mine.py").write_text("# not ours\n")
    assert bench.run() == 0
    assert not (bench.flash / "lib/slots.py").exists()
    assert (bench.flash / "lib/mine.py").exists()


def test_umqtt_is_not_copied_where_the_firmware_has_it(new_bench, config, source, tmp_path):
    frozen = tmp_path / "frozen"
    shutil.copytree(source / "lib/umqtt", frozen / "umqtt")
    bench = new_bench(frozen=frozen)
    assert bench.run("--config", config()) == 0
    assert not (bench.flash / "lib/umqtt").exists()


def test_another_board_and_keys(bench, tmp_path, source, tools):
    done = subprocess.run([tools.python, source / "scripts/bundle", "keygen", tmp_path / "keys"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    keys = tmp_path / "keys" / "keys.bin"
    trial = bench.flash / "config.trial.json"
    trial.write_text("{}")
    assert bench.run("--keys", keys, "--board", "esp32-3pzem") == 0
    assert not trial.exists()  # it would have put its settings over the new ones
    assert bench.copied[0] == 2
    assert (bench.flash / "keys.bin").read_bytes() == keys.read_bytes()
    assert json.loads((bench.flash / "config.json").read_text())["board"] == "esp32-3pzem"
    assert "boot: esp32-3pzem" in bench.said[-1]
    bad = tmp_path / "bad.bin"
    bad.write_bytes(bytes(100))
    assert bench.run("--keys", bad) == 1
    assert "bad.bin" in bench.said[-1]


def test_a_node_runs_on_while_its_watchdog_does(new_bench, own_source, config, flashed):
    # The watchdog that the interrupted node leaves behind would end its flashing.
    board = own_source / "firmware/board.py"
    text = board.read_text()
    assert "_WATCHDOG_MS = const(30000)" in text
    board.write_text(text.replace("_WATCHDOG_MS = const(30000)", "_WATCHDOG_MS = const(2500)"))
    bench = new_bench(source=own_source)
    assert bench.run("--config", config()) == 0
    for path in sorted((own_source / "firmware/meter").glob("*.py")):
        path.write_text(path.read_text() + "\n_changed = 1\n")
    assert bench.run() == 0
    assert bench.copied[0] > 10
    assert "watchdog" not in bench.board.causes


def test_a_slot_does_not_hide_what_was_flashed(bench, source, hub):
    run_from_slot(bench, "9.9.9")
    bench.restarted()
    assert version(hub, 0) == "9.9.9"
    after = hub.mark()
    assert bench.run() == 0
    assert bench.copied == (0, 0)
    assert version(hub, after) != "9.9.9"
    assert not (bench.flash / "a").exists()
    # The floor stays: no update may go below it.
    state = (bench.flash / "slots.state").read_text()
    assert json.loads(state[:-8])[0] == "" and json.loads(state[:-8])[3] == 7


def run_from_slot(bench, version):
    """Put a copy of the application into slot a, sealed and confirmed, with another version."""
    import hashlib

    folder = bench.flash / "a"
    shutil.copytree(bench.flash / "firmware", folder / "firmware")
    (folder / "firmware/__init__.mpy").unlink()
    (folder / "firmware/__init__.py").write_text(
        'VERSION = "%s"\nFLOOR = 7\nRELEASED = "2026-11-21T00:00:00Z"\n' % version)
    seal = json.dumps({"id": "00000007", "version": version, "floor": 7}) + "\n"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            seal += "%s %s\n" % (path.relative_to(folder).as_posix(),
                                 hashlib.sha256(path.read_bytes()).hexdigest())
    (folder / "seal").write_text(seal + hashlib.sha256(seal.encode()).hexdigest())
    state = json.dumps(["a", -1, "", 7, [], ""])
    (bench.flash / "slots.state").write_text(
        state + hashlib.sha256(state.encode()).hexdigest()[:8])


def version(hub, after):
    message = hub.wait("status/firmware", lambda m: not m.retain, after, 30)
    return message.json["version"]


def test_a_terminal_is_asked_for_what_a_node_needs(new_bench, broker, settings):
    bench = new_bench()
    answers = ["simulated", "secret", "", broker.host, "maybe", "n", "70000", str(broker.port), "",
               "", "flashed", ""]
    assert bench.run_on_terminal(answers) == 0
    values = json.loads((bench.flash / "config.json").read_text())
    assert values["wifi_password"] == "secret" and values["broker_port"] == broker.port
    assert values["board"] == "esp32-pzem" and values["node_id"] == "flashed"
    said = bench.said[-1]
    assert "it cannot do without" in said
    assert "  y or n\n" in said
    assert "broker_port: must be an integer from 1 to 65535" in said
    assert "secret" not in said


def test_a_meter_on_the_serial_line_needs_a_power_cycle(new_bench, config):
    # An ESP8266's REPL is gone once its meter has the line; main.py waits two seconds before.
    bench = new_bench(board="nodemcu-pzem", heap="400k")
    assert bench.run("--config", config(board="nodemcu-pzem"), "--as-files") == 0
    assert "there is no log to follow" in bench.said[-1]
    bench.board.wait_for_line("link: connected", 30)
    for _ in range(2):
        after = len(bench.board.log)
        child = bench.start("--as-files")
        said = ""
        while "Take its power away" not in said:
            line = child.stdout.readline()
            assert line, said
            said += line
        bench.board.power_cut()
        time.sleep(0.3)
        bench.board.power_on()
        said += child.communicate(timeout=60)[0]
        bench.said.append(said)
        assert child.returncode == 0
        bench.board.wait_for_line("link: connected", 30, after)


