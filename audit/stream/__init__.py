"""The news: every event of a project, in order, once, to each who listens.

The database has the events. Hints and polls say only that there is something to read.
"""
