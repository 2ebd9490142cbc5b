"""Is it up, and can it serve. No login, no long waits, no secrets in an answer."""
