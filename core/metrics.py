"""Histogram buckets that all apps share. Each app declares its own metrics in its `metrics.py`.

Metrics count what has happened, after the commit. Labels are words of the glossary, never ids: each
value makes a new series, which stays.
"""

# Seconds.
SHORT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
LONG_BUCKETS = (0.05, 0.25, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
# What people take: a minute, an hour, a day.
HUMAN_BUCKETS = (5, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600, 7 * 24 * 3600)
