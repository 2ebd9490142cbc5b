"""`make chaos`: break things on purpose, and see whether what must hold does."""

import argparse
import shutil
import sys
import time
from pathlib import Path

from tools.chaos.campaign import Campaign, Result, campaign
from tools.chaos.stack import OutOfTime

SHOWN_PROBLEMS = 8
MINUTES = 12
# What stopping everything may take at the end.
STOP_SECONDS = 30


def main() -> int:
    options = _options()
    began = time.monotonic()
    with campaign(options.seed) as running:
        from tools.chaos import cases  # noqa: F401
        from tools.chaos.book import CASES, in_order

        unknown = set(options.cases) - set(CASES)
        if options.list or unknown:
            return _show_cases(CASES, unknown)
        wanted = [name for name, case in CASES.items() if case.is_short or not options.short]
        chosen = in_order(options.cases or wanted)
        print(f"{len(chosen)} cases, SEED={options.seed}", flush=True)
        running.stack.deadline = began + options.minutes * 60 - STOP_SECONDS
        try:
            running.warm_up()
            for result in running.play_all(map(CASES.get, chosen), is_short=options.short):
                _show(result, is_timed=options.times)
        except OutOfTime:
            print(f"not within {options.minutes:g} minutes")
        finally:
            _keep(running, options.keep)
    missing = chosen[len(running.results) :]
    return _close(running, missing, time.monotonic() - began, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("cases", nargs="*", help="by name; all where left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="the cases of .ci/run, shortened")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="then the rest is not run")
    parser.add_argument("--times", action="store_true", help="also where each case spent its time")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", type=Path, help="copy logs and histories to this folder")
    return parser.parse_args()


def _show_cases(cases: dict, unknown: set[str]) -> int:
    for case in cases.values():
        print(f"{case.name:34} {'short ' if case.is_short else '      '}{case.about}")
    if unknown:
        print(f"There is no case {', '.join(sorted(unknown))}.")
    return 2 if unknown else 0


def _show(result: Result, *, is_timed: bool) -> None:
    verdict = "good" if result.is_good else "BROKEN"
    if result.must_fail:
        verdict += ", found what it had to find" if result.problems else ", found nothing"
    times = [f"{what} {seconds:.1f} s" for what, seconds in result.measured.items()]
    counts = [f"{number} {what}" for what, number in result.counted.items()]
    measured = "; ".join([*times, *counts])
    print(f"{result.name:34} {result.seconds:6.1f} s  {verdict}  {measured}", flush=True)
    if is_timed:
        spent = [f"{phase} {seconds:.1f}" for phase, seconds in result.phases.items()]
        print(f"    {', '.join(spent)}", flush=True)
    if not result.is_good or result.must_fail:
        for problem in result.problems[:SHOWN_PROBLEMS]:
            print(f"    {problem}", flush=True)
        if len(result.problems) > SHOWN_PROBLEMS:
            print(f"    and {len(result.problems) - SHOWN_PROBLEMS} more", flush=True)


def _keep(running: Campaign, folder: Path | None) -> None:
    if folder is not None:
        shutil.copytree(running.histories, folder / "histories", dirs_exist_ok=True)
        shutil.copytree(running.stack.folder.logs, folder / "logs", dirs_exist_ok=True)


def _close(running: Campaign, missing: list[str], seconds: float, seed: int) -> int:
    broken = [one.name for one in running.results if not one.is_good]
    print(f"{len(running.results)} cases in {seconds:.0f} s, SEED={seed}")
    if missing:
        print(f"Not run to the end: {', '.join(missing)}")
    if broken:
        print(f"Broken: {', '.join(broken)}. Again: make chaos SEED={seed} CASE={broken[0]}")
    for left in running.stack.left:
        print(f"left running: {left}")
    return bool(broken or missing or running.stack.left)


if __name__ == "__main__":
    sys.exit(main())
