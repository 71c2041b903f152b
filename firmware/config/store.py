# The configuration file, and the last good one to fall back to.
from .. import storage
from . import schema

PATH = "config.json"
GOOD_PATH = "config.good.json"


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


def change(values):
    """Put these settings into `config.json`, beside those that are there; for the next start.

    All or nothing. ValueError names what is wrong with them, OSError comes from the flash.
    """
    kept = _read(PATH, [])
    if kept is None:
        kept = _read(GOOD_PATH, []) or {}
    kept.update(values)
    wrong = schema.check(kept)
    if wrong:
        raise ValueError("; ".join(wrong))
    storage.replace_json(PATH, kept)


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
