"""One module a check, found by itself."""
