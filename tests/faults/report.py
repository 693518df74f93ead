"""What is said about a schedule that breaks a promise."""

from .drawing import draw
from .shrinking import shrink, violations_of

COMMAND = "python -m tests.faults --seeds {seed}"


def failure_of(seed, *, shrinks=True):
    """A report on the schedule of a seed; None if it keeps every promise."""
    schedule = draw(seed)
    violations = violations_of(schedule)
    if not violations:
        return None
    lines = [f"seed {seed}; to repeat it: {COMMAND.format(seed=seed)}", *_listed(violations)]
    if shrinks:
        small = shrink(schedule, violations[0][0])
        lines += [
            "",
            "the smallest schedule found that breaks the first of these promises; save it, and",
            "play it by python -m tests.faults --schedule FILE:",
            "",
            small.to_toml(),
            *_listed(violations_of(small)),
        ]
    return "\n".join(lines)


def _listed(violations, at_most=10):
    lines = [f"  {promise}: {what}" for promise, what in violations[:at_most]]
    if len(violations) > at_most:
        lines.append(f"  and {len(violations) - at_most} more")
    return lines
