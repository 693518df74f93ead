"""How large a herd this machine drives: what a connect costs, in CPU time and in memory.

`measure` is the way in. Nothing is imported here, because `responder` and `worker` also run as
programs and must start light.
"""
