"""What Prometheus reads: counters of the processes, and the state of the database and Redis.

With METRICS_DIR the processes of one machine (or container) count side by side, and whoever is
asked answers for all of them. Without it a process answers for itself only.
"""
