"""The stub for anyone's clients: what `herd serve` does, and what it makes of what it saw."""
