# How the node gets onto a network.

# Of the portal. Not `const`: tests have other ports.
PORT = 80
DNS_PORT = 53

# How the next start begins, where portal and node do not fit beside each other: "asked" or "lost"
# with the portal (alone.py), "back" with the node, which does not open it again at once.
# The start takes it away first of all: whatever becomes of it, the one after is an ordinary one.
MARK = "portal.once"
