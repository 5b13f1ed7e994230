"""What the scenarios of both Python clients share."""

import contextlib
import os
import sys
import time

BASE, ODD = sys.argv[1:3]
PASSWORD = "harbour-lantern-42"
NAMES = ["Oslo", "Lisbon", "Zürich", "Kyoto", "Quito"]
THINGS = ["Watch the northern lights", "Walk the Camino", "Swim in the Dead Sea"]


def email(who):
    """An address that nobody has registered."""
    return f"{who}-{time.time_ns()}-{os.getpid()}@example.com"


@contextlib.contextmanager
def step(name):
    """Says that a step went well, if it did."""
    yield
    print("ok", name, flush=True)
