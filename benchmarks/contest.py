"""A contest: the same training step in several libraries, taking turns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import sleep

from .contestant import Contestant, Step

CHECKED_STEPS = 10
PAUSE = 0.05  # seconds; after its last step a library's threads go on spinning for a while
BUSY = 1.5  # a median this far above the fastest round says that others used the cores


@dataclass(frozen=True)
class Contest:
    """Contestants by name, ours first: each prepares its data and weights and returns the step to time."""

    title: str
    contestants: dict[str, Callable[[], Step]]
    steps: int
    tolerance: float
    collector: bool = True
    goals: dict[str, float] = field(default_factory=dict)
    unchecked: frozenset[str] = frozenset()  # who draws weights of their own, so that their losses differ

    def run(self, rounds: int) -> dict:
        """Print and return seconds per step and ratios; a library that is not installed is left out."""
        print(f"\n{self.title}")
        present = self.start()
        losses = {name: contestant.run(CHECKED_STEPS)[1] for name, contestant in present.items()}
        largest = self.check({name: each for name, each in losses.items() if name not in self.unchecked})
        seconds: dict[str, list[float]] = {name: [] for name in present}
        for _ in range(rounds):
            for name, contestant in present.items():
                sleep(PAUSE)
                seconds[name].append(contestant.run(self.steps)[0])
        for contestant in present.values():
            contestant.stop()

        for name, times in seconds.items():
            fastest, middle, slowest = (1e3 * seconds for seconds in (min(times), median(times), max(times)))
            print(f"  {name:10}{middle:9.3f} ms   ({fastest:.3f} … {slowest:.3f})")
            if middle > BUSY * fastest:
                print("  The machine was busy: do not trust the line above.")
        peers = [name for name in seconds if name != "ours"] if "ours" in seconds else []
        return {
            "title": self.title,
            "collector": self.collector,
            "steps_per_round": self.steps,
            "largest_relative_difference_of_losses": largest,
            "seconds_per_step": seconds,
            "ratios": {peer: self.compare(peer, seconds) for peer in peers},
        }

    def start(self) -> dict[str, Contestant]:
        """Return the contestants whose libraries are installed; name the others."""
        present = {}
        for name, prepare in self.contestants.items():
            contestant = Contestant(prepare, self.collector)
            if contestant.absence:
                print(f"  {name} is left out: {contestant.absence}")
            else:
                present[name] = contestant
        return present

    def check(self, losses: dict[str, list[float]]) -> float:
        """Return the largest relative difference between two contestants' losses; too large ends the run."""
        names = list(losses)
        largest = 0.0
        for name in names[1:]:
            pairs = zip(losses[names[0]], losses[name], strict=True)
            difference = max(abs(b - a) / abs(a) for a, b in pairs)
            if not difference <= self.tolerance:
                raise SystemExit(
                    f"The losses of {names[0]} and {name} differ by {difference:.1e} of their size. "
                    f"Both started from the same weights in “{self.title}”. "
                    "Make them compute the same thing before timing them."
                )
            largest = max(largest, difference)
        if len(names) > 1:
            print(f"  {CHECKED_STEPS} losses from the same weights agree to {largest:.0e}")
        return largest

    def compare(self, peer: str, seconds: dict[str, list[float]]) -> dict[str, float]:
        """Print and return our time over the peer's, in three ways."""
        ours, theirs = seconds["ours"], seconds[peer]
        ratios = {
            "of medians": median(ours) / median(theirs),
            "median by round": median(a / b for a, b in zip(ours, theirs, strict=True)),
            "of fastest": min(ours) / min(theirs),
        }
        goal = f"   (goal: at most {self.goals[peer]})" if peer in self.goals else ""
        line = ", ".join(f"{ratio:.3f} {name}" for name, ratio in ratios.items())
        print(f"  ours / {peer}: {line}{goal}")
        return ratios
