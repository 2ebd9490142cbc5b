"""Attacks on the real stack: each must fail, and its negative control, with the guard off, succeeds."""
