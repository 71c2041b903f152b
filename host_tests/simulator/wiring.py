# What is wired to the pins of a board: its profile and the loads make the settings of the world.
_PHASES = "abc"


def world(profile, loads, base_load):
    """Settings for modules/virtual/world.py; the arguments are those of `VirtualBoard`."""
    if len(loads) > len(profile["relays"]):
        raise ValueError("%d loads for %d relays" % (len(loads), len(profile["relays"])))
    phases = [[] for _ in range(channel_count(profile))]  # numbers of the loads on each
    wired = []
    for relay, load in enumerate(loads):
        phases[_phase_of(profile, relay, len(phases))].append(len(wired))
        wired.append(dict(load if isinstance(load, dict) else {"watts": load}, relay=relay))
    base_loads = base_load if isinstance(base_load, (list, tuple)) else [base_load] * len(phases)
    for phase, watts in zip(phases, base_loads):
        if watts:
            phase.append(len(wired))
            wired.append({"watts": watts})
    settings = _meters(profile.get("meter"), phases)
    settings["chip"] = profile["chip"]
    settings["relays"] = [dict(relay, index=i) for i, relay in enumerate(profile["relays"])]
    settings["loads"] = wired
    settings["temperature"] = profile.get("temperature")
    return settings


def _meters(meter, phases):
    """The meters on UARTs, and those on pins; `loads` are numbers, a list for each phase."""
    if meter and "uart" in meter:
        items = [dict(meter, loads=phases)]
        if "addresses" in meter:
            items = [
                dict(meter, address=address, loads=[phase])
                for address, phase in zip(meter["addresses"], phases)
            ]
        uart = {"tx": meter.get("tx"), "rx": meter.get("rx"), "meters": items}
        if "de_pin" in meter:
            uart["de_pin"] = meter["de_pin"]
        return {"uarts": {str(meter["uart"]): uart}, "pulse_meters": []}
    return {"uarts": {}, "pulse_meters": [dict(meter, loads=phases)] if meter else []}


def channel_count(profile):
    """How many phases the board's meter tells apart."""
    meter = profile.get("meter", {})
    if "addresses" in meter:
        return len(meter["addresses"])
    return 3 if meter.get("chip") == "sdm630" else 1


def _phase_of(profile, relay, channels):
    for entry in profile.get("protection", ()):
        if entry["relay"] == relay and entry.get("phase"):
            return _PHASES.index(entry["phase"]) % channels
    return relay % channels
