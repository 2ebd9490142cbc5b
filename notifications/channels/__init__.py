"""One module a channel: what it is told of, and how it is sent."""
