# The parts of scripts/flash: what belongs on a board, what is there, how one becomes the other.
