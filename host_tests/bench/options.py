"""Command lines of the MicroPython programs in this folder: words, then `--name value`."""

import sys


def parse(usage, positional, defaults):
    """Return a dict of the words in `positional` (strings) and the options in `defaults`.

    An option takes the type of its default (int, float or str); a bool has no value. A wrong
    command line ends the program with `usage` and exit code 2.
    """
    values = dict(defaults)
    words = []
    arguments = iter(sys.argv[1:])
    try:
        for word in arguments:
            if not word.startswith("--"):
                words.append(word)
                continue
            name = word[2:]
            default = defaults[name]
            values[name] = True if default is False else type(default)(next(arguments))
        if len(words) != len(positional):
            raise ValueError("wrong number of arguments")
    except (KeyError, ValueError, StopIteration):
        print("usage:", usage)
        sys.exit(2)
    for name, word in zip(positional, words):
        values[name] = word
    return values
