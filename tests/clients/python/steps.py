"""Shared parts of the Python scenarios."""

import contextlib
import os
import sys
import time

BASE, FUTURE = sys.argv[1:3]
PASSWORD = "harbour-lantern-42"
NAMES = ["Oslo", "Lisbon", "Zürich", "Kyoto", "Quito"]
THINGS = ["Watch the northern lights", "Walk the Camino", "Swim in the Dead Sea"]


def email(who):
    """Returns an unused email address."""
    return f"{who}-{time.time_ns()}-{os.getpid()}@example.com"


@contextlib.contextmanager
def step(name):
    """Prints the name of a step if it succeeded."""
    yield
    print("ok", name, flush=True)
