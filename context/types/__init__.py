"""One module an artifact type, found by itself."""
