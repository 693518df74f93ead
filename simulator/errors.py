"""Every error that herd raises on purpose.

HerdError
+-- InputError              the input or this machine cannot do it; exit code 2
|   +-- ScenarioError       a scenario, a field or an option is wrong; lists every problem
|   +-- UnknownNameError    a name that nothing answers to, with the nearest that exists
|   +-- RunDirectoryError   a recorded run cannot be read, or would be overwritten
|   +-- MachineError        too few file descriptors, ports ...: what is missing and how to get it
|   +-- TargetError         a server that is not ours: not there, not allowed, or not as described
+-- RunFailedError          a process of the run died; what was recorded is saved; exit code 1
+-- AttemptError            an attempt to connect failed; carries its Outcome
    +-- RefusedError, RejectedError, ConnectionResetDuringAttemptError ... see simulator.transport
"""

from collections.abc import Iterable

from server_stub.problems import Problem, suggest


class HerdError(Exception):
    """The root of herd's own errors."""


class InputError(HerdError):
    """What was asked for cannot be done; the message is one clear line."""


class ScenarioError(InputError):
    """A scenario or an option that changes it is wrong; all its mistakes at once."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class UnknownNameError(InputError):
    """Nothing is called that."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"{what} {name!r}: {suggest(name, known)}")


class RunDirectoryError(InputError):
    """A recorded run cannot be read, or would be overwritten."""


class MachineError(InputError):
    """This machine cannot do it as it is set up."""


class TargetError(InputError):
    """A herd cannot be sent at the server that was named; all that is wrong at once."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class RunFailedError(HerdError):
    """A process of the run died; what had been recorded until then is kept."""


def input_error_in(group: BaseExceptionGroup[BaseException]) -> InputError | None:
    """The first of ours among errors that tasks raised side by side: input that proved bad late."""
    for error in group.exceptions:
        found = input_error_in(error) if isinstance(error, BaseExceptionGroup) else error
        if isinstance(found, InputError):
            return found
    return None
