# JSON that is complete. MicroPython's own parser also takes a text that was cut short.
import json


def loads(text):
    """The value of a JSON text. Raises ValueError, also for what MicroPython 1.25 lets pass.

    It takes `{"action": "on"` without the last bracket, so half a file or message would count
    as a whole one. Between brackets of ours the missing one swallows what follows: then there is
    one item instead of two. (Missing commas and colons are let pass still: they are no cuts.)
    """
    items = json.loads("[%s,0]" % text)
    if len(items) != 2:
        raise ValueError("not one whole JSON value")
    return items[0]
