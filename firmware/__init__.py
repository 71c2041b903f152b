# The application of the homesync node: what an update replaces.
VERSION = "0.1.0"
RELEASED = "2026-11-21T00:00:00Z"  # of this version; no clock of ours can be behind it
