"""What to ask a person when the words say too little to build anything."""

from agents.offline.case import Case
from agents.protocols import Questions

_WHAT = (
    "What should the program keep or work on? Name the things and what is noted about each, "
    "for example: "
    '"Each recipe has a title, a cooking time and ingredients."'
)
_DO = (
    "What do people do with it? One sentence each, for example: "
    '"Cooks can add recipes and search recipes by ingredient."'
)
_NOTHING = "Nothing of what is asked for can be built by the offline rules."


def questions_for(case: Case, artifact_type: str) -> Questions | None:
    """Questions if nothing can be built; None if there is enough to go on."""
    if artifact_type == "deployment_log" or _is_a_remark(case, artifact_type):
        return None
    if case.settled is not None:
        return None if case.program.covered() else Questions((_beyond(case),), _NOTHING)
    if sum(character.isalpha() for character in _words(case)) < 12:
        return Questions((_WHAT, _DO), "The brief holds too few words to go by.")
    if not case.wanted:
        return Questions((_WHAT, _DO), "The brief names nothing that the program should do.")
    if not case.kind or not case.program.covered():
        return Questions((_beyond(case), _WHAT), _NOTHING)
    return None


def _is_a_remark(case: Case, artifact_type: str) -> bool:
    """Only the one who opens the run asks before it has anything to say."""
    return artifact_type == "agent_output" and case.assignment.agent_type != "orchestrator"


def _words(case: Case) -> str:
    return " ".join(source.text for source in case.sources)


def _beyond(case: Case) -> str:
    reasons = dict.fromkeys(u.refusal for u in case.program.understood if u.refusal)
    why = " ".join(list(reasons)[:5])
    return (
        "Only small command-line programs that keep records, report on tables or calculate by "
        "rules can be "
        f"built offline. Which part of the wish would be one of these? {why}"
    ).strip()
