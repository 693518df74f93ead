"""Ways to let time pass, blind to each other: `run(scenario, *, out, watch) -> RunResult`."""
