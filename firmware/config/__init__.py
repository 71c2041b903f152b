# The node's settings: what they may be, and where they are kept.

# A change that could cut the node off, over resets: pending.py. It is there until its outcome has
# been told.
TRIAL = "config.trial.json"
