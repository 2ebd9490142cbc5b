import os

import psycopg
import redis


def test_the_servers_of_this_run_answer():
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        row = connection.execute("SELECT version(), current_setting('TimeZone')").fetchone()
    assert "PostgreSQL" in row[0]
    assert redis.Redis.from_url(os.environ["REDIS_URL"]).ping()
