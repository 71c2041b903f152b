# A change of settings that is being tried, as it outlives resets: config.trial.json.
from .. import ondemand, storage
from . import TRIAL, schema

TRIES = 2  # starts that may use them: one power cut is no verdict


def begin(request_id, values, result, old, new):
    """Keep a trial for the next start. OSError: flash has no room.

    request_id  of the command, None if it had none
    values      what is to be set
    result      what the last word adds to its state: which keys it changes
    old, new    [base_topic, home_id, node_id] before and with them
    """
    storage.replace_json(TRIAL, {
        "request_id": request_id, "values": values, "result": result, "old": old, "new": new,
        # values → counted down by each start that uses them → kept: from here on they stay; they
        # are being written to config.json → values None: it is over, and to be told → no file
        # values → no try left, or failed → refused: [code, message], values None → no file
        "tries": TRIES, "kept": False, "refused": None})


def start(settings, problems):
    """The record, None if there is none; what is on trial now is put into `settings`.

    Every start calls it, right after config.json was read.
    """
    record = _load(problems)
    values = record and record["values"]
    if not values:
        return record
    if record["kept"]:
        # The power failed, or flash was full.
        try:
            keep(record)
        except OSError as e:
            problems.append("%s: cannot be kept yet: %s" % (TRIAL, e))
        except ValueError as e:
            revert(record, str(e))
            return record
        settings.update(values)
    elif not record["tries"]:
        revert(record, "reset while they were tried, twice")
    elif schema.check(values) or schema.unknown(values):
        revert(record, "this firmware does not take them")  # it is another one than before
    else:
        record["tries"] -= 1
        try:
            storage.replace_json(TRIAL, record)
            settings.update(values)
        except OSError:
            # A try that cannot be counted is none: there would be no end to them.
            revert(record, "flash is full")
    return record


def keep(record):
    """The settings stay. OSError: they are in use, but not in config.json yet."""
    store = ondemand.load("config.store")
    if not record["kept"]:
        storage.replace_json(TRIAL, dict(record, kept=True))
        record["kept"] = True
    try:
        store.change(record["values"])
        # Else a damaged config.json would bring back what was before them.
        storage.replace(store.GOOD_PATH, store.checked(store.standing()))
        _end(record)
    finally:
        store = None
        ondemand.drop("config.store", "config.schema", "config.limits")


def revert(record, why):
    """The settings before are in force, from the next start on."""
    record["refused"] = ["reverted", why]
    record["kept"] = False
    try:
        _end(record)
    except OSError:
        forget()


def forget():
    """All is told."""
    storage.remove(TRIAL)


def _end(record):
    record["values"] = None
    storage.replace_json(TRIAL, record)


def _load(problems):
    try:
        record = storage.read_json(TRIAL)
        if len(record["old"]) == len(record["new"]) == 3 \
                and isinstance(record["tries"], int) and isinstance(record["result"], dict) \
                and not {"request_id", "values", "kept", "refused"} - set(record):
            return record
    except (KeyError, TypeError, ValueError):
        pass
    problems.append(TRIAL + " is broken")  # by flash: we replace it as a whole
    forget()
    return None
