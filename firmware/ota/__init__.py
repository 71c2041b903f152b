# Updates: who may order one, what it may be, how it comes, is tried, and stays or goes again.

# The public keys whose owners may update this node: outside the slots, and in a bundle that brings
# new ones.
KEYS = "keys.bin"
# An update under way, over resets: job.py
JOB = "update.json"
