# Runs the unit tests under MicroPython: plain functions test_* in files test_*.py.
# micropython run_units.py [-k WORD] [FILE…], with MICROPYPATH=REPO:REPO/lib:.frozen
import gc
import os
import sys

_DIRECTORY = 0x4000


def find(folder):
    """Paths of all test_*.py below `folder`, sorted."""
    found = []
    for entry in os.ilistdir(folder):
        name = entry[0]
        path = folder + "/" + name
        if entry[1] == _DIRECTORY:
            found.extend(find(path))
        elif name.startswith("test_") and name.endswith(".py"):
            found.append(path)
    return sorted(found)


def run_file(path, word):
    """Run the tests of one file whose name contains `word`; return (passed, failed)."""
    folder, name = path.rsplit("/", 1)
    name = name[:-3]
    passed = failed = 0
    sys.path.insert(0, folder)
    try:
        module = __import__(name)
    except (Exception, SystemExit) as error:
        print("FAILED %s: import" % path)
        sys.print_exception(error)
        return 0, 1
    finally:
        sys.path.pop(0)
    for test in sorted(dir(module)):
        if not test.startswith("test_") or not (word in test or word in name):
            continue
        gc.collect()
        try:
            getattr(module, test)()
            passed += 1
        except (Exception, SystemExit) as error:
            failed += 1
            print("FAILED %s: %s" % (path, test))
            sys.print_exception(error)
    del sys.modules[name]
    return passed, failed


def main(arguments):
    word = ""
    if arguments[:1] == ["-k"]:
        word = arguments[1]
        arguments = arguments[2:]
    here = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
    passed = failed = 0
    for path in arguments or find(here + "/unit"):
        if "/" not in path:
            path = "./" + path
        good, bad = run_file(path, word)
        passed += good
        failed += bad
        gc.collect()
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not (passed or word) else 0


sys.exit(main(sys.argv[1:]))
