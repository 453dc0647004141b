"""List the demos, or run one: `python -m demos digits --seed 1 --out runs/first`."""

import argparse
import importlib
import inspect
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

DEMOS = {
    "many_paths": "A1: dE/dx as the sum over its three paths, with numbers and with vectors",
    "by_hand": "A2, A3: training steps worked by hand, our figures beside the reported ones",
    "digits": "a network learns scanned digits; leaves curves, a confusion matrix and a page",
    "draw_network": "the loss of a small network as pictures, and as a page that plays its backward sweep",
}
PACKAGES = {"matplotlib", "sklearn"}  # what the extra `demos` brings and demos cannot do without


def whole(numbers: range) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if not text.isdecimal() or int(text) not in numbers:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {numbers[0]} to {numbers[-1]}")
        return int(text)

    return whole_number


# A demo has those of these options that its `run` takes as keywords; their defaults stand there.
OPTIONS: dict[str, dict[str, Any]] = {
    "epochs": {"type": whole(range(1, 10**9)), "metavar": "N", "help": "how often training goes through the data"},
    "seed": {"type": whole(range(2**32)), "metavar": "N", "help": "of everything that is drawn at random"},
    "out": {"type": Path, "metavar": "DIR", "help": "the folder that the results go to"},
}


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one sentence, in place of the usage."""
        self.exit(2, f"{self.prog}: {message}.\n")


def settings(prog: str, demo: Any, arguments: Sequence[str]) -> dict[str, Any]:
    """Read one demo's options: what is typed, and with --quick what the demo's QUICK says besides."""
    parser = Parser(prog=prog, description=demo.__doc__, argument_default=argparse.SUPPRESS)
    for option, parameter in inspect.signature(demo.run).parameters.items():
        details = OPTIONS[option]
        parser.add_argument(f"--{option}", **details | {"help": f"{details['help']} ({parameter.default})"})
    parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
    given = vars(parser.parse_args(arguments))
    return (getattr(demo, "QUICK", {}) if given.pop("quick", False) else {}) | given


def main(arguments: Sequence[str] | None = None) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show σ must not end a demo
    parser = Parser(prog="python -m demos", description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(DEMOS))
    first, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    name = parser.parse_args([first]).name
    if not name:
        for each, line in DEMOS.items():
            print(f"{each:12} {line}")
        print("\nRun one with python -m demos NAME; its options with python -m demos NAME --help")
        return
    if name not in DEMOS:
        parser.error(f"there is no demo {name!r}; choose from {', '.join(DEMOS)}")

    parser.prog += f" {name}"
    try:
        demo = importlib.import_module(f"demos.{name}")
        demo.run(**settings(parser.prog, demo, rest))
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        parser.exit(1, f"{parser.prog}: {package} is not installed; write pip install 'chainrule[demos]'.\n")
    except OSError as error:
        cannot = f"cannot use {error.filename}" if error.filename else "cannot go on"
        parser.exit(1, f"{parser.prog}: {cannot}: {error.strerror or error}.\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: stopped.\n")


if __name__ == "__main__":
    main()
