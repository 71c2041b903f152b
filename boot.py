"""Runs first after every reset: gives relay pins back the levels that the reset took from them.
Coils of latching relays are in the record as they are at rest, so one that was caught in its pulse
loses its current here.

At power-on it clears the record, so that an empty record tells the application the same.
"""


def _restore_outputs():
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
        return
    for pin, level in outputs:
        # The level is set before the direction: the relay does not click.
        machine.Pin(pin, machine.Pin.OUT, value=level)


try:
    _restore_outputs()
except Exception:
    pass  # Relays that stay open are safe; a node that does not boot is not.
del _restore_outputs
