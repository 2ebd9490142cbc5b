"""One module a check; each registers itself."""
