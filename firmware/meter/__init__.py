# Energy meters: one file per chip, loaded only when it is configured.
CHIPS = {  # name in a board profile: file and class
    "pzem004t": ("pzem004t", "PZEM004T"),
    "sdm120": ("sdm", "SDM120"),
    "sdm230": ("sdm", "SDM230"),
    "sdm72": ("sdm", "SDM72"),
    "sdm630": ("sdm", "SDM630"),
    "cse7766": ("cse7766", "CSE7766"),
    "hlw8032": ("cse7766", "CSE7766"),
    "bl0942": ("bl0942", "BL0942"),
    "hlw8012": ("hlw8012", "HLW8012"),
    "bl0937": ("hlw8012", "HLW8012"),
}


def driver(chip):
    """Driver class of a chip; ValueError names an unknown one. README.md tells what it must do."""
    if chip not in CHIPS:
        raise ValueError("unknown meter chip: %s" % (chip,))
    name, of_class = CHIPS[chip]
    return getattr(__import__(__name__ + "." + name, None, None, (of_class,)), of_class)
