# How the node gets onto a network.
