# The configuration file, and the last good one to fall back to.
import json

from micropython import const

from .. import ondemand, storage
from . import TRIAL, schema

PATH = "config.json"
GOOD_PATH = "config.good.json"
_MOST_BYTES = const(8192)  # what storage reads


def load():
    """(settings, problems): complete settings, and what is wrong as a list of texts.

    A broken `config.json` gives way to the last one that was good, and that to the defaults: a
    node that cannot be reached any more is worse than one with yesterday's settings.
    """
    problems = []
    values = _read(PATH, problems)
    if values is not None:
        _keep(values, problems)
    else:
        values = _read(GOOD_PATH, problems)
        if values is None:
            values = {}
            problems.append("no good configuration: defaults are in use")
        else:
            problems.append("the last good configuration is in use")
    settings = schema.defaults()
    for name in values:
        if name in settings:
            settings[name] = values[name]
    return settings, problems


def pending(settings, problems):
    """What is left of a trial, as in pending.py, None as a rule; settings on trial are put into
    `settings`, where `load` has left those they would replace."""
    if not on_trial():
        return None
    return ondemand.load("config.pending").start(settings, problems)


def on_trial():
    """Whether settings are on trial, or the outcome is still to be told."""
    return storage.size(TRIAL) is not None


def standing():
    """The values in force, without defaults: a new dict."""
    values = _read(PATH, [])
    return (_read(GOOD_PATH, []) or {}) if values is None else values


def checked(values):
    """These values for a file. ValueError names what is wrong with them."""
    wrong = schema.check(values)
    if wrong:
        raise ValueError("; ".join(wrong))
    data = json.dumps(values).encode()
    if len(data) > _MOST_BYTES:
        raise ValueError("all settings together would take %d bytes, %d at the most" % (
            len(data), _MOST_BYTES))
    return data


def change(values):
    """Put these settings into `config.json`, beside those that are there; for the next start.

    All or nothing. ValueError names what is wrong with them, OSError comes from the flash.
    """
    kept = standing()
    kept.update(values)
    storage.replace(PATH, checked(kept))


def _read(path, problems):
    # The values of a file that is wholly good, else None.
    try:
        values = storage.read_json(path)
    except ValueError as e:
        problems.append(str(e))
        return None
    if values is None:
        problems.append("there is no " + path)
        return None
    wrong = schema.check(values)
    for text in wrong:
        problems.append("%s: %s" % (path, text))
    if wrong:
        return None
    for name in schema.unknown(values):
        problems.append("%s: unknown key %s" % (path, name))
    return values


def _keep(values, problems):
    try:
        if storage.read_json(GOOD_PATH) == values:
            return
    except ValueError:
        pass
    try:
        storage.replace_json(GOOD_PATH, values)
    except OSError as e:
        problems.append("cannot keep %s: %s" % (GOOD_PATH, e))
