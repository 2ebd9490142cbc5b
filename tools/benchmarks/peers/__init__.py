"""`make bench-peers`: gated steps beside LangGraph, DBOS and a floor, in one run."""

import argparse


def report(options: argparse.Namespace) -> None:
    from tools.benchmarks.peers.comparison import compare

    compare(options)
