"""Minutes, hours and days, in seconds; days are those of UTC.

>>> start_of(7265, HOUR)
7200
"""

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = (MINUTE, HOUR, DAY)


def start_of(seconds: int, step: int) -> int:
    """When the minute, hour or day begins that holds this second."""
    return seconds - seconds % step
