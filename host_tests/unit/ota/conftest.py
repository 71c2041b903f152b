# CPython has no `deflate`: the stand-in that scripts/bundle uses.
from bundling import chip

chip.install()
