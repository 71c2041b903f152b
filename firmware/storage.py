# Files that a power cut leaves either old or new, never half.
import json
import os
import sys

from . import strict_json


def replace(path, data):
    """Put the bytes `data` in place of the file `path`.

    littlefs replaces by rename; the rename comes only after a close that succeeded, since a file
    left to the garbage collector is closed at a random time, with whatever it then holds.
    """
    new = path + ".new"
    f = open(new, "wb")
    try:
        f.write(data)
        f.flush()
    finally:
        f.close()
    os.rename(new, path)


def read(path, max_bytes=8192):
    """The bytes of a file, None where there is none. Raises ValueError above `max_bytes`."""
    try:
        f = open(path, "rb")
    except OSError:
        return None
    try:
        # Not all at once: MicroPython takes memory for as much as might come.
        data = f.read(min(size(path) or 0, max_bytes) + 1)
    finally:
        f.close()
    if len(data) > max_bytes:
        raise ValueError("%s is larger than %d bytes" % (path, max_bytes))
    return data


def size(path):
    """Bytes of a file, None where there is none."""
    try:
        return os.stat(path)[6]
    except OSError:
        return None


def beside(name):
    """Path of a file that came with the code, such as "firmware/roots.pem": that of the slot that
    runs, since an update brings new ones. None if there is none, or nothing in it."""
    for folder in sys.path:
        path = (folder + "/" if folder else "") + name
        if size(path):
            return path
    return None


def remove(path):
    """Delete a file; one that is not there is fine."""
    try:
        os.remove(path)
    except OSError:
        pass


def read_json(path):
    """The value in a JSON file, None where there is no file. Raises ValueError if it is broken."""
    try:
        data = read(path)
    except OSError as e:  # a damaged file system
        raise ValueError("%s cannot be read: %s" % (path, e))
    if data is None:
        return None
    try:
        return strict_json.loads(str(data, "utf-8"))
    except (ValueError, UnicodeError) as e:
        raise ValueError("%s is not JSON: %s" % (path, e))


def replace_json(path, value):
    """Write a value as JSON, power-cut safe."""
    replace(path, json.dumps(value).encode())
