"""What scripts/bundle is made of: keys, the tree that goes into a bundle, the bundle file."""
