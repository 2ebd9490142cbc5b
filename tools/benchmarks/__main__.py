"""`make bench`, `bench-stream`, `bench-http` and others: what we cost, as ratios of a run."""

import argparse
import importlib
import os
import statistics

from tools.benchmarks.stack import owner_url, servers, worker

# Modules that start what else they need.
ALONE = (
    *("stream", "inbox", "stop", "store", "versions", "peers", "profile", "slow_calls", "http"),
    "asks",
)
SYSTEMS = ("floor", "langgraph", "dbos", "ours")
DEFAULTS = {
    "peers": {"steps": 6, "rounds": 3},
    "profile": {"steps": 6, "drivers": [4]},
    "http": {"steps": 6, "clients": 50},
    "slow_calls": {"seconds": 30.0},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["engine", *ALONE], default="engine")
    parser.add_argument("--layer", help="stream: dotted path of another channel layer")
    parser.add_argument(
        "--servers", nargs="+", default=["uvicorn"], help="stream: uvicorn, daphne, or both"
    )
    parser.add_argument("--clients", type=int, help="stream: at most so many; http")
    parser.add_argument("--projects", type=int, default=60, help="projects side by side")
    parser.add_argument("--steps", type=int, default=10, help="steps of each")
    parser.add_argument("--decisions", type=int, default=150)
    parser.add_argument("--samples", type=int, default=100, help="inbox: of each page")
    parser.add_argument("--sections", type=int, default=1_000_000, help="store: so many")
    parser.add_argument("--rounds", type=int, default=2, help="store: of all questions; peers")
    parser.add_argument("--runs", type=int, default=60, help="peers, profile: side by side")
    parser.add_argument(
        "--drivers",
        type=int,
        nargs="+",
        default=[1, 4, 8],
        help="peers, profile (the first): threads that decide",
    )
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS, help="peers: only some of them"
    )
    parser.add_argument(
        "--peers-python",
        default=".venv-peers/bin/python",
        help="peers: of the virtual environment that has them",
    )
    parser.add_argument(
        "--seconds", type=float, default=20, help="http: each of its trials; slow_calls: one call"
    )
    parser.add_argument("--calls", type=int, default=1000, help="slow_calls: at once")
    parser.add_argument("--processes", type=int, default=2, help="slow_calls: of agents' workers")
    parser.add_argument("--keep", default="", help="store: a folder in which it stays")
    parser.set_defaults(**DEFAULTS.get(parser.parse_known_args()[0].what, {}))
    options = parser.parse_args()
    if options.layer:
        os.environ["BENCH_CHANNEL_LAYER"] = options.layer
    with servers(options.keep):
        prepare()
        if options.what != "engine":
            importlib.import_module(f"tools.benchmarks.{options.what}").report(options)
            return
        with worker():
            report(options)


def prepare() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def report(options: argparse.Namespace) -> None:
    from tools.benchmarks import engine, floor

    floor.celery_start_seconds(20)
    engine.steps_a_second(4, 5)
    jobs = floor.celery_jobs_a_second(options.projects, options.steps)
    rows = floor.sql_transactions_a_second(owner_url(), 2000)
    steps = engine.steps_a_second(options.projects, options.steps)
    jobs_again = floor.celery_jobs_a_second(options.projects, options.steps)
    starts = floor.celery_start_seconds(options.decisions)
    waits = engine.decision_to_start_seconds(options.decisions)
    jobs = (jobs + jobs_again) / 2
    print(f"workflow steps                    {steps:8.0f} /s")
    print(f"floor: bare Celery chain          {jobs:8.0f} /s   ratio {jobs / steps:5.1f}")
    print(f"floor: bare INSERT+UPDATE commit  {rows:8.0f} /s   ratio {rows / steps:5.1f}")
    both = 1 / (1 / jobs + 1 / rows)
    print(f"floor: one of each a step         {both:8.0f} /s   ratio {both / steps:5.1f}")
    for name, part in (("p50", 0.50), ("p95", 0.95)):
        ours, bare = percentile(waits, part), percentile(starts, part)
        print(
            f"decision to next step start {name} {ours * 1000:8.1f} ms"
            f"   bare Celery job {bare * 1000:6.1f} ms   ratio {ours / bare:5.1f}"
        )


def percentile(values: list[float], part: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(part * 100) - 1]


if __name__ == "__main__":
    main()
