# Updates: who may order one, what it may be, and how it is unpacked.
