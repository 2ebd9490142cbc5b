"""The metrics for Prometheus: counters of the processes, and the state of the database and Redis.

With METRICS_DIR the processes of one machine (or container) share their counters, and each of them
answers for all. Without it a process answers for itself only.
"""
