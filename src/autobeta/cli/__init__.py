"""The command line: one file a command, whose docstring is its line of help.

It has a function `command`, whose signature is the command's options, or `main(args)` where that
is not enough. Imports stand inside, so that neither help nor lists wait for torch.
"""

import difflib
import io
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

import tyro

from autobeta import __version__, registry
from autobeta.cli._ranks import spoken_once, tells
from autobeta.errors import InterruptedRunError, pasted, printable


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments; those of the process if not given.

    Returns:
        Exit status: 0 done, 1 our error, 2 bad usage, 130 after Ctrl-C, 143 after SIGTERM.
    """
    args = [_at_home(arg) for arg in (sys.argv[1:] if argv is None else argv)]
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")  # as in cp1252, which has no beta
    if args and args[0] == "--version":
        print(__version__)
        return 0
    if not args or args[0] in ("-h", "--help"):
        print(_usage())
        return 0 if args else 2
    if (after := _empty(args)) is not None:
        said = "an argument must not be empty; got one after"
        print(f"autobeta: {said} `{pasted(*after)}`. Is a variable not set?", file=sys.stderr)
        return 2
    names = registry.available("cli")
    if args[0] not in names:
        near = difflib.get_close_matches(args[0], names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        print(f"autobeta: no command {args[0]!r}.{hint}\n\n{_usage()}", file=sys.stderr)
        return 2
    try:
        return _guarded(args)
    except KeyboardInterrupt:  # one more, while the one before was dealt with
        print("autobeta: interrupted; what was not written yet is lost.", file=sys.stderr)
        return 128 + signal.SIGINT


def _guarded(args: Sequence[str]) -> int:
    """Carry out a command; whatever ends it becomes a sentence and an exit status."""
    former = _on_terminate()
    try:
        module = registry.load("cli", args[0])
        with warnings.catch_warnings(), spoken_once():
            warnings.showwarning = _show_warning
            if hasattr(module, "main"):
                module.main(args[1:])
            else:
                tyro.cli(module.command, prog=f"autobeta {args[0]}", args=args[1:])
    except BrokenPipeError:
        sys.stdout = None  # the reader, such as `head`, has had enough
    except SystemExit as end:
        shows = args[0] in ("control", "list", "score")  # the others do more than print a table
        if not (shows and isinstance(end.__context__, BrokenPipeError)):  # rich's answer to it
            raise
    except (InterruptedRunError, KeyboardInterrupt) as stop:
        number = getattr(stop, "signal_number", signal.SIGINT)
        notes = [str(stop) or "interrupted"]
        notes += getattr(stop, "__notes__", ["Give the same command again to go on."])
        _tell(stop, f"{'; '.join(notes[:1])}. {' '.join(notes[1:])}")
        return 128 + number
    except (ValueError, TypeError, OSError, RuntimeError, ImportError, MemoryError) as error:
        _tell(error, f"error: {_told(error)}")
        return 1
    finally:
        if former is not None:
            signal.signal(signal.SIGTERM, former)
    return 0


def _empty(args: Sequence[str]) -> Sequence[str] | None:
    """What stands before the first empty argument, as of a shell's variable that is not set."""
    for place, arg in enumerate(args):
        if not arg or (arg.startswith("--") and arg.endswith("=")):
            return args[:place] if not arg else [*args[:place], arg]
    return None


def _at_home(arg: str) -> str:
    """An argument with its ~ as a shell has it, which leaves --out=~/runs as it is."""
    option, equals, value = arg.partition("=") if arg.startswith("--") else ("", "", arg)
    if not value.startswith("~/") and value != "~":
        return arg
    return f"{option}{equals}{os.path.expanduser(value)}"  # noqa: PTH111 - it raises without a HOME


def _tell(error: BaseException, text: str) -> None:
    if tells(error):
        print(f"autobeta: {_shown(text)}", file=sys.stderr)


def _shown(text: str) -> str:
    """A text that may hold what strangers wrote: no command to a terminal, no line of its own."""
    first, *more = map(printable, text.split("\n"))
    return "\n".join([first, *(line if line[:1] in ("", " ") else f"    {line}" for line in more)])


def _told(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {error}. Ask for fewer points, or smaller images."
    return str(error) or repr(error)


def _on_terminate() -> Any:  # noqa: ANN401 - any handler
    """Have SIGTERM end a command as Ctrl-C does; the former handler, None in another thread."""

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        stop = KeyboardInterrupt()
        stop.signal_number = number  # type: ignore[attr-defined]
        raise stop

    try:
        return signal.signal(signal.SIGTERM, handle)
    except ValueError:
        return None


def _usage() -> str:
    lines = [
        f"  {name:10}{str(registry.describe('cli', name)['doc']).splitlines()[0].rstrip('.')}"
        for name in registry.available("cli")
    ]
    return "usage: autobeta COMMAND ...\n\n" + "\n".join(lines)


def _show_warning(message: Warning | str, *args: object, **kwargs: object) -> None:
    del args, kwargs
    print(f"warning: {_shown(str(message))}", file=sys.stderr)
