"""The monthly expense report of a shared flat."""
