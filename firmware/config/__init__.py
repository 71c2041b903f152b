# The node's settings: what they may be, and where they are kept.
