"""The stream: every event of a project, in order and once, to everybody who listens.

The database has the events. Hints and polls only say that there is something to read.
"""
