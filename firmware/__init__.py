# The application of the homesync node: what an update replaces.
VERSION = "0.1.0"
FLOOR = 0  # raised by a release that nothing older may follow
RELEASED = "2026-11-21T00:00:00Z"  # of this version; no clock of ours can be behind it
