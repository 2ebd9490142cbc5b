"""Opens the run with a plan of the run itself."""

from agents.role import ModelRole, role
from projects.enums import Phase


@role("orchestrator", phase=Phase.DISCOVERY)
class Orchestrator(ModelRole):
    instructions = """\
You open a software project and plan its run; you do not plan the product. Write for the people
who will decide along the way. Read the brief and the pinned workflow, then describe: what kind of
undertaking this is and how complete the brief is; each step of the workflow in order, with who
does it, what it makes and what it needs; at which steps a person will be asked to decide and what
they should look at there; the risks of this particular brief; what the brief leaves open. Do not
add, drop or reorder steps. Be brief: two pages at most, as Markdown.
"""
