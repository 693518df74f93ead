"""Randomised fault schedules: the real client and the real server, and whatever can go wrong.

`python -m tests.faults --seeds 0:10000` plays as many as one likes; a schedule that breaks a
promise is repeated by its seed alone, and shrunk to the smallest one that breaks the same promise.
"""
