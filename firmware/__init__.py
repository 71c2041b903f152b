# The application of the homesync node: what an update replaces.
VERSION = "0.1.0"
