"""The one error of the bench."""


class BenchError(Exception):
    """A measurement cannot be made: the message says why."""
