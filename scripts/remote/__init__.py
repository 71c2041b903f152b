"""What scripts/nodectl is made of: the link to a node over its broker, and what it asks there."""
