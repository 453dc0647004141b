"""List the demos, or run one or all of them: `python -m demos digits --seed 1`, `python -m demos all --quick`."""

import argparse
import difflib
import importlib
import inspect
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from engine import errors
from engine.documents import Document, Paragraph

from .data import load
from .page import links

DEMOS = {
    # Worked by hand
    "many_paths": "A1: dE/dx as the sum over its three paths, with numbers and with vectors",
    "by_hand": "A2, A3: training steps worked by hand, our figures beside the reported ones",
    "softmax": "A4: the gradients of softmax with cross-entropy, checked, and toy data learned",
    "margin": "A5: hinge loss finds the plane of maximum margin, on numbers and on tensors",
    # Trained on two-dimensional data
    "points": "B1: linear and XOR points, and what rate, width and activation do to them",
    "circles": "B2: circles inside circles, and how many hidden units they take",
    # Trained on images
    "layers": "C1: digits by sigmoid networks, and what every layer makes of them",
    "two_digits": "C2: 5 against 6, with and without early stopping, from three initialisers",
    "ten_digits": "C3: all ten digits, softmax, with and without early stopping",
    "classifier": "C4: a classifier class, four activations from three first weights",
    "grid_search": "C5: our classifier in GridSearchCV, 81 fits, beside the classifier of scikit-learn",
    "autoencoder": "C6: an autoencoder, its reconstructions, and a classifier on its middle",
    "colours": "C7: colour images, a two-layer network, one setting changed at a time",
    "depth": "C8: two to five layers, and why deep ones need good first weights",
    # To see
    "digits": "a network learns scanned digits; leaves curves, a confusion matrix and a page",
    "draw_network": "the loss of a small network as pictures, and as a page that plays its backward sweep",
}
PACKAGES = {"joblib", "matplotlib", "sklearn", "tqdm"}  # what the extra `demos` brings and demos cannot do without


def whole(numbers: range) -> Callable[[str], int]:
    def whole_number(text: str) -> int:
        if not text.isdecimal() or int(text) not in numbers:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {numbers[0]} to {numbers[-1]}")
        return int(text)

    return whole_number


def folder(text: str) -> Path:
    path = Path(text)
    if not text or (path.exists() and not path.is_dir()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path


# A demo has those of these options that its `run` takes as keywords; their defaults stand there.
OPTIONS: dict[str, dict[str, Any]] = {
    "data": {"choices": ["digits", "mnist", "fashion", "cifar10", "patches"], "help": "what is learned"},
    "data_dir": {"type": folder, "metavar": "DIR", "help": "the folder that holds the published files of the data"},
    "epochs": {"type": whole(range(1, 10**9)), "metavar": "N", "help": "how often training goes through the data"},
    "seed": {"type": whole(range(2**32)), "metavar": "N", "help": "of everything that is drawn at random"},
    "seeds": {"type": whole(range(1, 1000)), "metavar": "N", "help": "how many seeds, from that on, a study takes"},
    "jobs": {
        "type": whole(range(1, 8 * (os.cpu_count() or 1) + 1)),  # hundreds would only fill the memory
        "metavar": "N",
        "help": "how many processes the runs are spread over",
    },
    "out": {"type": folder, "metavar": "DIR", "help": "the folder that the results go to"},
}


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one sentence, in place of the usage."""
        self.stop(2, message)

    def stop(self, code: int, sentence: str) -> NoReturn:
        try:
            if sys.stdout:
                sys.stdout.flush()
        except OSError:  # nobody reads any more, as after `| head -1`: Python must not try again when it ends
            sys.stdout = io.StringIO()
        self.exit(code, f"{self.prog}: {' '.join(sentence.split())}.\n")


class Stopped(BaseException):
    """Control-C, under a name that no library knows: scikit-learn's `fit` ends at KeyboardInterrupt and goes on."""


def stop(*_: Any) -> NoReturn:
    raise Stopped


def options(demo: Any) -> dict[str, Any]:
    """The options that a demo has: the keywords of its `run`, with their defaults."""
    return {name: parameter.default for name, parameter in inspect.signature(demo.run).parameters.items()}


def parsed(prog: str, description: str | None, defaults: dict[str, Any], arguments: Sequence[str]) -> dict[str, Any]:
    """Read these options: those that are typed, and `quick` and `smallest`."""
    parser = Parser(prog=prog, description=description, argument_default=argparse.SUPPRESS)
    for option, default in defaults.items():
        details = dict(OPTIONS[option])
        if default is not None:
            details["help"] += f" ({default})"
        parser.add_argument(f"--{option.replace('_', '-')}", **details)
    parser.add_argument("--quick", action="store_true", help="a small size, to see what it shows")
    parser.add_argument("--smallest", action="store_true", help="the smallest size, to see that it runs")
    return vars(parser.parse_args(arguments))


def chosen(demo: Any, given: dict[str, Any]) -> dict[str, Any]:
    """What a demo is run with: what its SMALLEST or its QUICK says, and what is typed goes before that."""
    sizes = {"quick": getattr(demo, "QUICK", {})}
    sizes["smallest"] = getattr(demo, "SMALLEST", sizes["quick"])
    size = next((sizes[name] for name in ("smallest", "quick") if name in given), {})
    return size | {name: value for name, value in given.items() if name in options(demo)}


def settings(prog: str, demo: Any, arguments: Sequence[str]) -> dict[str, Any]:
    """What a demo is run with when this is typed after its name."""
    return chosen(demo, parsed(prog, demo.__doc__, options(demo), arguments))


def run_all(prog: str, arguments: Sequence[str]) -> None:
    """Run every demo in a folder of its own, with those options that it has, and leave a page that links them."""
    folder = Path("runs")
    given = parsed(prog, "Run every demo.", dict.fromkeys(OPTIONS) | {"out": folder}, arguments)
    folder = given.pop("out", folder)
    demos = {name: importlib.import_module(f"demos.{name}") for name in DEMOS}  # what is missing is said at once
    if {"data", "data_dir"} & given.keys():
        load(given.get("data", "digits"), given.get("data_dir"))
    for name, demo in demos.items():
        print(f"\n{name}: {DEMOS[name]}\n", flush=True)
        demo.run(**chosen(demo, given | {"out": folder / name}))
    pages = links(DEMOS, "Demo", "{}/index.html")
    about = (
        "The systems of five reports on backpropagation, each beside the figures that its report gives: A1 to A5 are "
        "worked by hand, B1 and B2 learn points in the plane, and C1 to C8 learn images."
    )
    index = Document("The demos", Paragraph(about), Paragraph(f"Left by {prog} {' '.join(arguments)}"), pages)
    index.save(folder / "index.html")
    print(f"Open {folder / 'index.html'}, which links all pages.")


def one_sentence(error: Exception) -> str:
    """What an error says, with semicolons between its sentences."""
    sentences = re.sub(r"\. ([A-Z])(?=[a-z ])", lambda start: f"; {start[1].lower()}", " ".join(str(error).split()))
    return sentences.removesuffix(".")


def list_demos() -> None:
    for name, line in DEMOS.items():
        print(f"{name:12} {line}")
    print("\nRun one with python -m demos NAME, every one with python -m demos all --quick;")
    print("its options with python -m demos NAME --help")


def main(arguments: Sequence[str] | None = None) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show σ must not end a demo
    parser = Parser(prog="python -m demos", description=__doc__)
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join([*DEMOS, "all"]))
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    if name in ("-h", "--help"):
        parser.parse_args([name])
    if name.startswith("-"):
        parser.error(f"the name of a demo comes first, and options such as {name} after it")
    if name and name not in DEMOS and name != "all":
        close = difflib.get_close_matches(re.sub(r"\W", "_", name.lower()), [*DEMOS, "all"], n=1)
        perhaps = f" ({close[0]}, perhaps?)" if close else ""
        parser.error(f"there is no demo {name!r}{perhaps}; choose from {', '.join(DEMOS)}, or all")

    parser.prog += f" {name}" if name else ""
    try:
        if not name:
            list_demos()
        elif name == "all":
            run_all(parser.prog, rest)
        else:
            demo = importlib.import_module(f"demos.{name}")
            demo.run(**settings(parser.prog, demo, rest))
        if sys.stdout:
            sys.stdout.flush()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in PACKAGES:
            raise
        parser.stop(1, f"{package} is not installed; write pip install 'chainrule[demos]'")
    except errors.MissingExtraError as error:
        parser.stop(1, one_sentence(error))
    except OSError as error:
        reason = error.strerror or one_sentence(error)
        what = f"cannot use {error.filename}: " if error.filename else "cannot write: " if error.strerror else ""
        parser.stop(1, f"{what}{reason}")
    except MemoryError as error:
        parser.stop(1, f"there is not enough memory: {error or 'fewer --jobs take less'}")
    except (Stopped, KeyboardInterrupt):
        parser.stop(130, "stopped")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, stop)
    main()
