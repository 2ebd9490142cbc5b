"""Rules that read a brief and write a small program, without any model."""

VERSION = "1"
