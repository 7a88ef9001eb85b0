"""The figures of the example: each is printed with what it must be, and one that differs fails it."""

from collections import Counter

WIDTH = 62


class Figures:
    """Compares figures as they are found."""

    def __init__(self) -> None:
        self.wrong = 0
        """How many are not as they must be."""

    def check(self, what: str, found: object, expected: object) -> None:
        """Prints a figure."""
        right = found == expected
        self.wrong += not right
        told = "" if right else f", and must be {expected}"
        print(f"{'✅' if right else '❌'} {what:<{WIDTH}} {found}{told}", flush=True)


def effects(lines: list[str]) -> dict[str, int]:
    """Counts side effects by what was done. Raises AssertionError if one was done twice."""
    twice = [line for line, times in Counter(lines).items() if times > 1]
    if twice:
        raise AssertionError(f"done twice: {', '.join(sorted(twice)[:10])}")
    return dict(sorted(Counter(line.partition(" ")[0] for line in lines).items()))
