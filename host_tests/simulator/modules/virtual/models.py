# Which model stands for which meter chip. A model is imported when a board has such a meter.
#
# Model(record, item, loads): record = its bytes in the board's state file (layout.METER_SIZE),
# item = the "meter" part of the board profile with one "address", and the "speed" of the house,
# loads = for each phase a list of Load. It has run(duration_ms, voltage_dv, frequency_dhz) and
# skip(duration_ms, voltage_dv), by which house time passes, and `fault`, one of its module's
# FAULTS (`fault_phase`: of which phase, None for all). What it needs on a serial line:
# serial_line.py.

_MODELS = {  # chip: module, class
    "pzem004t": ("pzem", "Pzem"),
    "sdm120": ("sdm", "Sdm"),
    "sdm230": ("sdm", "Sdm"),
    "sdm72": ("sdm", "Sdm"),
    "sdm630": ("sdm", "Sdm"),
    "cse7766": ("cse7766", "Cse7766"),
    "hlw8032": ("cse7766", "Cse7766"),
    "bl0942": ("bl0942", "Bl0942"),
    "hlw8012": ("pulse", "PulseMeter"),
    "bl0937": ("pulse", "PulseMeter"),
}


def model(chip):
    """Class that stands for this chip."""
    return getattr(_module(chip), _MODELS[chip][1])


def faults(chip):
    """Faults that this chip can have."""
    return _module(chip).FAULTS


def _module(chip):
    if chip not in _MODELS:
        raise ValueError("no model of the chip %s" % chip)
    package = __name__.rsplit(".", 1)[0]
    return __import__(package + "." + _MODELS[chip][0], None, None, (_MODELS[chip][1],))
