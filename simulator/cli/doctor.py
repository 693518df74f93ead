"""`herd doctor`: can this machine drive a herd?"""

from simulator.cli import options


def doctor(json: options.JsonOption = False) -> None:
    """Check what this machine can drive, and say what to do where it falls short."""
    from simulator.cli import measuring  # noqa: PLC0415 - heavy, and `herd --help` needs none of it

    measuring.check_machine(as_json=json)
