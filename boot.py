"""Runs first after every reset: gives relay pins back the levels that the reset took from them,
then picks the slot whose application `main.py` starts (lib/slots.py). An update never replaces it.

Coils of latching relays are in the record as they are at rest, so one that was caught in its pulse
loses its current here.

At power-on it clears the record, so that an empty record tells the application the same.
"""

TRIAL_WATCHDOG_MS = 60000  # until the application starts its own


def _restore_outputs():
    # True at power-on.
    import sys

    import machine
    from retained import Retained

    retained = Retained(machine.RTC().memory)
    outputs = retained.outputs()
    power_on = machine.reset_cause() == machine.PWRON_RESET
    if power_on and sys.platform == "esp8266":
        # The ESP8266 names the last hardware reset, so after machine.soft_reset() it may still
        # say power-on. Only a real one has turned the pins into inputs: register GPIO_ENABLE.
        driven = machine.mem32[0x6000030C]
        power_on = not any(driven >> pin & 1 for pin, _ in outputs)
    if power_on:
        retained.clear()
        return True
    for pin, level in outputs:
        # The level is set before the direction: the relay does not click.
        machine.Pin(pin, machine.Pin.OUT, value=level)
    return False


def _pick_slot(power_on):
    import sys

    try:
        import machine
        import slots

        on_trial = slots.boot(power_on, not power_on
                              and machine.reset_cause() != machine.SOFT_RESET)
    except Exception:
        # Whatever is found is better than nothing.
        sys.path.extend(("a", "b"))
        return
    del sys.modules["slots"]  # its code is needed again in minutes, the memory at once
    if on_trial and sys.platform != "esp8266":  # there it cannot be set
        machine.WDT(timeout=TRIAL_WATCHDOG_MS)  # a version that hangs at its import


_power_on = False
try:
    _power_on = _restore_outputs()
except Exception:
    pass  # Relays that stay open are safe; a node that does not boot is not.
try:
    _pick_slot(_power_on)
except Exception:
    pass
del _restore_outputs, _pick_slot, _power_on
