"""Medians and the like, and numbers as a reader likes them."""

import statistics


def median(values):
    """The middle."""
    return statistics.median(values)


def percentile(values, percent):
    """The nearest rank."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -(-len(ranked) * percent // 100) - 1))]


def quartiles(values):
    """The first and the third quartile; twice the value if there is one alone."""
    return (percentile(values, 25), percentile(values, 75))


def number(value):
    """Three digits that count."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"
