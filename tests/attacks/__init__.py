"""Attacks on the real stack. Each must fail; its negative control, with the guard off, succeeds."""
