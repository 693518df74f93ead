"""What commands print."""

from simulator.cli.output import print_table


def test_columns_are_as_wide_as_their_widest_cell(capsys):
    """Flush left, with nothing after the last."""
    print_table(("policy", "back"), [("fixed", "28 %"), ("exponential", "")])
    assert capsys.readouterr().out == "policy       back\nfixed        28 %\nexponential\n"


def test_long_headers_go_on_in_further_lines(capsys):
    """Where columns are many, so that they stay narrow."""
    print_table(("policy", "95 % back after"), [("fixed", "never")], header_width=9)
    assert capsys.readouterr().out == "policy  95 % back\n        after\nfixed   never\n"
