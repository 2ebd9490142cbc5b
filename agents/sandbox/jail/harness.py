"""Runs the tests of one module, as the runner outside asks for them, and answers for each.

Its text is handed to a fresh interpreter, in which the program under test runs too. What it
answers is therefore what the program's own tests report: a program that sets out to deceive can
make them report anything. It cannot make them many, leave some out or end early unseen, because
the runner outside knows what there is, asks one by one, and sees how the process ends.
"""

import importlib
import inspect
import json
import os
import sys
import traceback
import unittest
import unittest.async_case
import unittest.case
import unittest.result
import unittest.suite

MAX_DETAIL = 5_000
#: The worst counts.
OUTCOMES = ("error", "failed", "skipped", "expected_failure", "passed")
LIBRARY = (unittest.case, unittest.suite, unittest.result, unittest.async_case)


class Dialogue:
    """Questions from outside, and the answers, by two descriptors that no child gets."""

    def __init__(self, questions, answers):
        for descriptor in (questions, answers):
            os.set_inheritable(descriptor, False)
        self.questions = os.fdopen(questions, encoding="utf-8")
        self.answers = answers

    def question(self):
        return json.loads(self.questions.readline())

    def answer(self, question, **facts):
        facts |= {"nonce": question["nonce"], "process": os.getpid()}
        data = json.dumps(facts).encode() + b"\n"
        while data:
            data = data[os.write(self.answers, data) :]


class Result(unittest.TestResult):
    """What came of the test under way, and of what is set up around tests."""

    def __init__(self):
        super().__init__()
        self.outcomes = []
        self.fixtures = []

    def note(self, test, outcome, detail=""):
        if isinstance(test, unittest.TestCase) or hasattr(test, "test_case"):
            self.outcomes.append((outcome, detail))
        else:
            self.fixtures.append((outcome, f"{test.id()}: {detail}"))

    def taken(self):
        """The outcome since it was last taken."""
        outcomes, self.outcomes = self.outcomes, []
        if not outcomes:
            outcomes = self.fixtures[-1:] or [("error", "It reported nothing.")]
        outcome = min((o for o, _ in outcomes), key=OUTCOMES.index)
        details = [detail for o, detail in outcomes if o == outcome and detail]
        return {"outcome": outcome, "detail": "\n".join(details)[-MAX_DETAIL:]}

    def addSuccess(self, test):
        self.note(test, "passed")

    def addError(self, test, err):
        super().addError(test, err)
        self.note(test, "error", self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.note(test, "failed", self.failures[-1][1])

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            is_failure = issubclass(err[0], test.failureException)
            kept = self.failures if is_failure else self.errors
            self.note(test, "failed" if is_failure else "error", f"{subtest}\n{kept[-1][1]}")

    def addSkip(self, test, reason):
        self.note(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        self.note(test, "expected_failure")

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed", "It was expected to fail, and passed.")


class AskedSuite(unittest.TestSuite):
    """Hands out each test when it is asked for, so that fixtures of classes and modules work."""

    def __init__(self, module, dialogue, result):
        super().__init__()
        self.module, self.dialogue, self.result = module, dialogue, result
        self.library = library()

    def __iter__(self):
        while "run" in (question := self.dialogue.question()):
            yield test_of(self.module, *question["run"])
            self.dialogue.answer(question, changed=self.changed(), **self.result.taken())
        self.last = question

    def changed(self):
        """What of unittest is no longer what it was when the program began."""
        now = library()
        return [name for name, part in self.library.items() if now.get(name) is not part][:5]

    def _removeTestAtIndex(self, index):
        pass


def library():
    """The functions and classes that tests are run with, by name."""
    parts = {}
    for module in LIBRARY:
        for name, part in vars(module).items():
            if not callable(part):
                continue
            parts[f"{module.__name__}.{name}"] = part
            if isinstance(part, type) and part.__module__ == module.__name__:
                for key, inner in vars(part).items():
                    if callable(inner) or isinstance(inner, (classmethod, staticmethod)):
                        parts[f"{module.__name__}.{name}.{key}"] = inner
    return parts


def test_of(module, case_name, name):
    """The test of that name, or one that says why there is none."""
    case = getattr(module, case_name, None) if case_name else module
    body = getattr(case, name, None)
    if body is None:
        return refusal("The text has this test, and the loaded module has it not.")
    if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
        return refusal("It is a generator: nothing of it would be run.")
    if not case_name:
        if not inspect.iscoroutinefunction(body):
            return unittest.FunctionTestCase(body)
        return refusal("It is a coroutine: it has to be in an IsolatedAsyncioTestCase.")
    if not (isinstance(case, type) and issubclass(case, unittest.TestCase)):
        return refusal(f"{case_name} is no unittest.TestCase, so its methods are no tests.")
    if inspect.iscoroutinefunction(body) and not hasattr(case, "asyncSetUp"):
        return refusal("It is a coroutine: it has to be in an IsolatedAsyncioTestCase.")
    return case(name)


def refusal(reason):
    def not_run():
        raise RuntimeError(reason)

    return unittest.FunctionTestCase(not_run)


def tests_in(module):
    """All tests of the loaded module's own classes."""
    names = unittest.TestLoader().getTestCaseNames
    cases = [
        value
        for value in dict.fromkeys(v for v in vars(module).values() if isinstance(v, type))
        if issubclass(value, unittest.TestCase) and value.__module__ == module.__name__
    ]
    return [[case.__name__, name] for case in cases for name in names(case)]


def main():
    dialogue = Dialogue(int(sys.argv[1]), int(sys.argv[2]))
    question = dialogue.question()
    root = os.getcwd()
    sys.path[:0] = [os.path.join(root, part) for part in question["path"]]
    sys.argv = [question["file"]]
    result = Result()
    suite = AskedSuite(None, dialogue, result)
    try:
        module = importlib.import_module(question["name"])
    except unittest.SkipTest as reason:
        dialogue.answer(question, skipped=str(reason)[-MAX_DETAIL:])
        return
    except (Exception, SystemExit):
        dialogue.answer(question, broken=traceback.format_exc()[-MAX_DETAIL:])
        sys.exit(1)
    suite.module = module
    is_ours = os.path.realpath(module.__file__ or "") == os.path.join(root, question["file"])
    dialogue.answer(question, found=tests_in(module), is_ours=is_ours, changed=suite.changed())
    suite.run(result)
    broken = [detail[-MAX_DETAIL:] for outcome, detail in result.fixtures if outcome == "error"]
    dialogue.answer(suite.last, fixtures=broken[:20], changed=suite.changed())


if __name__ == "__main__":
    main()
