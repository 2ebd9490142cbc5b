"""`make chaos`: break things on purpose, and see whether what must hold does."""

import argparse
import shutil
import sys
import time
from pathlib import Path

from chaos.campaign import Campaign, Result, campaign

SHOWN_PROBLEMS = 8


def main() -> int:
    options = _options()
    began = time.monotonic()
    with campaign(options.seed) as running:
        from chaos import cases  # noqa: F401
        from chaos.book import CASES

        unknown = set(options.cases) - set(CASES)
        if options.list or unknown:
            return _show_cases(CASES, unknown)
        chosen = options.cases or [n for n, c in CASES.items() if c.is_short or not options.short]
        print(f"{len(chosen)} cases, SEED={options.seed}", flush=True)
        try:
            running.warm_up()
            for name in chosen:
                _show(running.play(CASES[name], is_short=options.short))
        finally:
            _keep(running, options.keep)
    return _close(running, time.monotonic() - began, options.seed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("cases", nargs="*", help="by name; all where left out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="the cases of .ci/run, shortened")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", type=Path, help="copy logs and histories to this folder")
    return parser.parse_args()


def _show_cases(cases: dict, unknown: set[str]) -> int:
    for case in cases.values():
        print(f"{case.name:34} {'short ' if case.is_short else '      '}{case.about}")
    if unknown:
        print(f"There is no case {', '.join(sorted(unknown))}.")
    return 2 if unknown else 0


def _show(result: Result) -> None:
    verdict = "good" if result.is_good else "BROKEN"
    if result.must_fail:
        verdict += ", found what it had to find" if result.problems else ", found nothing"
    times = [f"{what} {seconds:.1f} s" for what, seconds in result.measured.items()]
    counts = [f"{number} {what}" for what, number in result.counted.items()]
    measured = "; ".join([*times, *counts])
    print(f"{result.name:34} {result.seconds:6.1f} s  {verdict}  {measured}", flush=True)
    if not result.is_good or result.must_fail:
        for problem in result.problems[:SHOWN_PROBLEMS]:
            print(f"    {problem}", flush=True)
        if len(result.problems) > SHOWN_PROBLEMS:
            print(f"    and {len(result.problems) - SHOWN_PROBLEMS} more", flush=True)


def _keep(running: Campaign, folder: Path | None) -> None:
    if folder is not None:
        shutil.copytree(running.histories, folder / "histories", dirs_exist_ok=True)
        shutil.copytree(running.stack.folder.logs, folder / "logs", dirs_exist_ok=True)


def _close(running: Campaign, seconds: float, seed: int) -> int:
    broken = [one.name for one in running.results if not one.is_good]
    print(f"{len(running.results)} cases in {seconds:.0f} s, SEED={seed}")
    if broken:
        print(f"Broken: {', '.join(broken)}. Again: make chaos SEED={seed} CASE={broken[0]}")
    for left in running.stack.left:
        print(f"left running: {left}")
    return bool(broken or running.stack.left)


if __name__ == "__main__":
    sys.exit(main())
