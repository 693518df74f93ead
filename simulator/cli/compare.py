"""`herd compare`: the same herd under several policies."""

from simulator.cli import options


def compare(  # noqa: PLR0917 - Typer makes options of them
    scenario: options.ScenarioArgument = None,
    engine: options.EngineOption = "live",
    clients: options.ClientsOption = None,
    policy: options.PolicyOption = None,
    seed: options.SeedOption = None,
    changes: options.SetOption = None,
    out: options.OutOption = None,
    force: options.ForceOption = False,
    json: options.JsonOption = False,
    fail_if: options.FailIfOption = None,
    junit: options.JunitOption = None,
    strict: options.StrictOption = False,
    quiet: options.QuietOption = False,
    target: options.TargetOption = None,
    restart_command: options.RestartCommandOption = None,
    allow_host: options.AllowHostOption = None,
    max_clients: options.MaxClientsOption = None,
    max_connects: options.MaxConnectsOption = None,
    header: options.HeaderOption = None,
    subprotocol: options.SubprotocolOption = None,
    identify: options.IdentifyOption = False,
    cafile: options.CafileOption = None,
    insecure: options.InsecureOption = False,
) -> None:
    """Run the same herd through the same outages under several policies, side by side."""
    from simulator.cli import running  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    running.compare(
        options.Asked(
            scenario=scenario,
            engine=engine,
            clients=clients,
            policy=policy,
            seed=seed,
            changes=changes,
            out=out,
            force=force,
            json=json,
            fail_if=fail_if,
            junit=junit,
            strict=strict,
            quiet=quiet,
            aim=options.Aim(
                target=target,
                restart_command=restart_command,
                allow_host=allow_host,
                max_clients=max_clients,
                max_connects=max_connects,
                header=header,
                subprotocol=subprotocol,
                identify=identify,
                cafile=cafile,
                insecure=insecure,
            ),
        )
    )
