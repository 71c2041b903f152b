# Where pulse meters and pins meet; its own file, since every board has pins, but few such a meter.

outputs = {}  # pin number -> pulse.Output
sel_pins = set()  # pins whose level a chip looks at


def level(number):
    """Level of a pin that a chip looks at; pin.py puts its own here when it is imported."""
    return 0
