"""One module a kind, as somebody would add it."""
