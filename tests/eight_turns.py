"""A model that really uses its tools, by a script: a program of two files, over eight turns."""

from collections.abc import Sequence

from tests.openai_server import Behaviour, OpenAIServer, call
from tests.wire_servers import AnthropicServer, OllamaServer

BUILD = """
name: building
version: 1
title: Build something
steps:
  - {id: build, title: Build, phase: build, agent: coder, creates: [source_code],
     instructions: Build it.}
"""
ADDING = "def add(first, second):\n    return first - second\n"
TESTS = """import unittest

from adding import add


class AddingTest(unittest.TestCase):
    def test_fr_1_adds(self):
        self.assertEqual(add(2, 3), 5)
"""
DELIVERED = {
    "title": "Adding",
    "summary": "A function that adds, and a test of it.",
    "entry_point": "adding.py",
    "test_command": ["python3", "-m", "unittest"],
    "covered": [{"requirement": "FR-1", "tests": ["test_fr_1_adds"]}],
    "not_covered": [],
}
COMMAND = {"command": ["python3", "-c", "print(6 * 7)"]}
SERVERS = {"openai-chat": OpenAIServer, "anthropic": AnthropicServer, "ollama": OllamaServer}
FIXED = ADDING.replace("first - second", "first + second")
#: What is recorded of it where a person refuses the command.
USES = [
    ("list", 1, "succeeded"),
    ("write", 2, "succeeded"),
    ("write", 3, "succeeded"),
    ("run_tests", 4, "succeeded"),
    ("edit", 5, "succeeded"),
    ("run_tests", 6, "succeeded"),
    ("run_command", 7, "refused"),
]


def eight_turns(fifth: Behaviour) -> Sequence[Behaviour]:
    """`fifth` is what becomes of the first request of the fifth turn: its worker dies."""
    return (
        call("list", {}),
        call("write", {"path": "adding.py", "content": ADDING}),
        call("write", {"path": "tests/test_adding.py", "content": TESTS}),
        call("run_tests", {}),
        fifth,
        call("edit", {"path": "adding.py", "old": "first - second", "new": "first + second"}),
        call("run_tests", {}),
        call("run_command", COMMAND),
        call("deliver_source_code", DELIVERED),
    )
