"""What agents may do while they work, one module a kind of tools."""
