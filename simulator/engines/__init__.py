"""Ways to let time pass: each engine is `run(scenario, *, out) -> RunResult`, blind to the others."""
