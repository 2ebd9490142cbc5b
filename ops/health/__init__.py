"""Is it up, and can it serve. Nobody logs in, nothing waits for long, nothing secret is said."""
