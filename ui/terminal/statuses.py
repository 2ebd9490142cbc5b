from enum import IntEnum


class ExitStatus(IntEnum):
    """What `run_project` ends with. 1 and 2 are bad input and bad usage."""

    COMPLETED = 0
    FAILED = 3
    CANCELLED = 4
    PERSON_NEEDED = 5
    TIMED_OUT = 6
    NO_WORKER = 7
    INTERRUPTED = 130


MEANING = """exit status:
  0    the project completed
  1    it could not be started, or its result not be written: the message says why;
       or nobody reads the output any more
  2    wrong usage
  3    the project failed: a person rejected something
  4    the project was cancelled
  5    a person is needed, and nobody can be asked here
  6    --timeout passed
  7    nothing works on it: no worker is running
  130  Ctrl-C; the project goes on without this command
"""
