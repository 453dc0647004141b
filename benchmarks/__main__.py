"""List the benchmarks, or run those named, as in `python -m benchmarks scalar small --rounds 51`."""

import argparse
import json
import os
import platform
from pathlib import Path

from . import chain, convolution, digits, estimators, fit, gradcheck, scalar, seeing, small

BENCHMARKS = {
    "scalar": scalar,
    "small": small,
    "digits": digits,
    "fit": fit,
    "convolution": convolution,
    "chain": chain,
    "seeing": seeing,
    "gradcheck": gradcheck,
    "estimators": estimators,
}


def main() -> None:
    """Read the command line, run the benchmarks, print and perhaps write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join([*BENCHMARKS, "all"]))
    parser.add_argument("--rounds", type=int, default=25, metavar="N", help="turns for each (default: 25)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to FILE")
    options = parser.parse_args()
    if not options.names:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:12}{benchmark.__doc__}")
        print("\nRun some with `python -m benchmarks NAME ...`, all of them with `python -m benchmarks all`.")
        return

    names = list(BENCHMARKS) if options.names == ["all"] else options.names
    for name in names:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; choose from {', '.join(BENCHMARKS)}, or all")
    figures = {name: BENCHMARKS[name].run(options.rounds) for name in names}
    if options.json:
        machine = {"python": platform.python_version(), "system": platform.platform()}
        report = {**machine, "cores": os.cpu_count(), "rounds": options.rounds, "figures": figures}
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
