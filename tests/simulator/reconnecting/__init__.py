"""Clients against the stub server, in memory and on a virtual clock, so that times are exact."""
