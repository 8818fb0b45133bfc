"""Assertions, bounded waiting, and the marks that the runner reads on a case."""

import time


class CaseFailed(Exception):
    """A case's claim does not hold."""


def check(claim, message):
    """Fails the case with `message` unless `claim` holds."""
    if not claim:
        raise CaseFailed(message)


def equal(seen, wanted, what):
    """Fails the case unless `seen` is `wanted`."""
    check(seen == wanted, f"{what}: expected {wanted!r}, saw {seen!r}")


def await_that(holds, timeout, what, gap=0.05):
    """Asks again and again whether something holds that nobody tells of."""
    deadline = Deadline(timeout)
    while not holds():
        check(not deadline.passed(), f"{timeout} s went by: {what}")
        time.sleep(gap)


class Deadline:
    """A bound on a wait, in seconds from now."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        """Seconds left, never negative."""
        return max(0.0, self.end - time.monotonic())

    def passed(self):
        """Whether the bound is reached."""
        return self.left() == 0.0


def limits(timeout=60, alone=False):
    """Marks a case: its bound in seconds, and whether it must not share the machine."""

    def mark(function):
        function.timeout, function.alone = timeout, alone
        return function

    return mark


def each(*params):
    """Runs a case once for each of `params`; each needs a readable `str()`."""

    def mark(function):
        function.params = params
        return function

    return mark
