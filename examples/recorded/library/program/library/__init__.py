"""The lending library of the Riverside community house."""
