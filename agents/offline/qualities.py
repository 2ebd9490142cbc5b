"""Demands on a program as a whole, the same for all kinds of program, and their tests."""

import re
from collections.abc import Sequence

from agents.offline.demands import Demand

PERSIST = re.compile(
    r"\b(?:kept between|between (?:runs|sessions)|survive|restart|saved (?:in|to|on)|stored "
    r"(?:in|on)|one file|next time|"
    r"computer is switched off|not lost|gespeichert)\b",
    re.IGNORECASE,
)
_TERMINAL = re.compile(
    r"\b(?:command[- ]line|terminal|shell|console|kommandozeile|typed? commands?)\b", re.I
)
_PLAIN = re.compile(
    r"\b(?:internet|offline|without a (?:server|network)|standard library|nothing (?:else "
    r")?(?:to be |to )?install|"
    r"no installation|without install\w+|python only|only python)\b",
    re.IGNORECASE,
)
_CLEAR = re.compile(
    r"\b(?:error|mistake|wrong|invalid|clear message|understandable|explain|never crash|not "
    r"crash|typing error|fehler)",
    re.IGNORECASE,
)


def quality_demands(statement: str) -> list[Demand]:
    """Demands on the program as a whole; the same for all kinds of program."""
    pairs = ((PERSIST, "persist"), (_TERMINAL, "terminal"), (_PLAIN, "plain"), (_CLEAR, "clear"))
    return [Demand(kind) for pattern, kind in pairs if pattern.search(statement)]


def program_tests(
    demand: Demand, *, names: Sequence[str], clear: list[str]
) -> dict[str, list[str]]:
    """Tests by name. `names` are shown by the help, `clear` are lines about mistakes."""
    if demand.kind == "terminal":
        lines = [
            "result = self.run_main_file('--help')",
            "self.assertEqual(result.returncode, 0, result.stderr)",
        ]
        shown = [f"self.assertIn({name!r}, result.stdout)" for name in names]
        return {"it_runs_from_the_command_line": lines + shown}
    if demand.kind == "plain":
        return {"it_needs_python_only": _PLAIN_TEST}
    return {"mistakes_are_explained": clear} if demand.kind == "clear" else {}


_PLAIN_TEST = [
    "import sys",
    "self.assertLessEqual(self.imported_modules(), set(sys.stdlib_module_names))",
    "network = {'socket', 'urllib', 'http', 'ssl', 'ftplib', 'smtplib'}",
    "self.assertFalse(self.imported_modules() & network)",
]
