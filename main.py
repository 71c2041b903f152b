# Starts the application of the slot that boot.py has picked. A crash is kept for the next report
# and told to slots, then the board starts again.
import time

CRASH_PATH = "crash.txt"
GRACE_MS = 2000


def start():
    """Run until the node stops: again after a restart, back to the REPL after Ctrl-C."""
    import machine

    if machine.reset_cause() in (machine.PWRON_RESET, machine.HARD_RESET):  # or the reset button
        # A board whose watchdog runs or whose UART has left the REPL could not be flashed any
        # more; in these two seconds it always can.
        time.sleep_ms(GRACE_MS)
    try:
        from firmware import app

        if app.run() == "shutdown":
            return
    except Exception as e:
        _keep(e)
        time.sleep_ms(GRACE_MS)
    machine.soft_reset()  # pins keep their level


def _keep(error):
    import gc
    import io
    import sys

    gc.collect()
    try:
        text = io.StringIO()
        sys.print_exception(error, text)
        print(text.getvalue())
        with open(CRASH_PATH, "w") as f:
            f.write(text.getvalue()[-800:])
    except (OSError, MemoryError):
        pass  # neither a full file system nor a full heap may stop the restart
    try:
        import slots

        slots.fail("%s: %s" % (type(error).__name__, error))
    except Exception:
        pass  # the try is counted already


start()
