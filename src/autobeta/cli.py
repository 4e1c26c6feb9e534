"""The command line: parse, look names up, call one function each.

Imports stand inside the commands, so that help and lists need not wait for torch.
"""

import contextlib
import dataclasses
import difflib
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import tyro

from autobeta import __version__, printing, registry, runs
from autobeta.cli_data import data
from autobeta.options import (
    Cite,
    Control,
    Convert,
    Encode,
    Evaluate,
    List,
    Report,
    RunOptions,
    Score,
    Suggest,
    TrainAgain,
    TrainOptions,
    Traverse,
    Udr,
    parse,
)


def _train(args: Sequence[str]) -> None:
    if args and not args[0].startswith("-"):
        _train_method(registry.check_name("methods", args[0]), args[1:])
        return
    if args and any(a.split("=")[0] == "--config" for a in args):
        again = parse(TrainAgain, "train", args)
        from autobeta.assemble import RunConfig

        _run_training(RunConfig.from_json(runs.read_config_file(again.config)), again)
        return
    print(_train_usage())
    if not {"-h", "--help"} & set(args):
        raise SystemExit(2)


def _train_usage() -> str:
    names = ", ".join(registry.available("methods"))
    return (
        "usage: autobeta train METHOD --out RUN_DIR [--data NAME] [--steps N] [--seed S] ...\n"
        "       autobeta train --config RUN_DIR/config.json --out RUN_DIR\n\n"
        f"METHOD is one of {names}.\n"
        "`autobeta train METHOD --help` lists all settings."
    )


def _train_method(method: str, args: Sequence[str]) -> None:
    module = registry.load("methods", method)
    default = module.Config(**_preset(method, module.PRESETS, args))
    fields: list[tuple[str, Any, Any]] = [
        ("options", Annotated[TrainOptions, tyro.conf.arg(name="")], dataclasses.field()),
        ("method", module.Config, dataclasses.field(default=default)),
    ]
    doc = (module.__doc__ or "").split("\n")[0]
    command = dataclasses.make_dataclass("Train", fields, namespace={"__doc__": doc})
    parsed = parse(command, f"train {method}", args)
    _run_training(_run_config(method, parsed.method, parsed.options), parsed.options)


def _preset(
    method: str, presets: dict[str, dict[str, object]], args: Sequence[str]
) -> dict[str, object]:
    """Settings of the preset that the arguments name, before they are parsed in full."""
    for i, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name == "--preset":
            wanted = value or (args[i + 1] if i + 1 < len(args) else "")
            if wanted not in presets:
                known = ", ".join(presets) or "none"
                raise ValueError(f"`preset` of {method} must be one of {known}; got {wanted!r}.")
            return presets[wanted]
    return {}


def _run_config(method: str, method_config: object, options: RunOptions) -> Any:  # noqa: ANN401
    from autobeta.assemble import ModelConfig, RunConfig
    from autobeta.data import DataOptions
    from autobeta.training import TrainConfig

    given = {f.name: getattr(options, f.name) for f in dataclasses.fields(options)}
    own = {f.name: given[f.name] for f in dataclasses.fields(TrainConfig)}
    return RunConfig(
        method=method,
        method_config=method_config,
        data=options.data,
        data_options=DataOptions(
            path=options.data_path,
            image_size=options.image_size,
            channels=options.channels,
            variant=options.variant,
            unofficial=options.unofficial,
            test_fraction=options.test_fraction,
            split_seed=options.split_seed,
        ),
        model=ModelConfig(architecture=options.architecture, num_latents=options.num_latents),
        train=TrainConfig(**own),
    )


def _run_training(
    config: Any,  # noqa: ANN401 - RunConfig, whose module is imported late
    options: TrainOptions | TrainAgain,
) -> None:
    from autobeta import api
    from autobeta.evaluation import EvaluationConfig
    from autobeta.training.progress import Progress

    out = options.out
    extend = isinstance(options, TrainOptions) and options.extend
    evaluation = EvaluationConfig(metrics=options.metrics, num_points=options.num_points)
    _set_threads(options.threads)
    finished = (out / runs.METRICS).exists()
    controller = api.controller_of(config)
    go_on = f"  autobeta train --config {out / runs.CONFIG} --out {out}{_chosen(options)}"
    with _stoppable(f"Go on with\n{go_on}"), Progress(config.train, controller) as progress:
        run = api.train(config, out, extend=extend, evaluation=evaluation, report=progress)
    if finished and not extend:
        print(f"{out} is finished already; nothing was done.")
    else:
        print(f"{out} is finished.")
    printing.results(runs.read_json(run.folder / runs.METRICS))
    printing.tracking(runs.read_jsonl(run.folder / runs.LOG), controller)


@contextlib.contextmanager
def _stoppable(go_on: str) -> Iterator[None]:
    """Where a stop that was asked for ends with the shell's status and how to go on."""
    from autobeta.training.stopping import InterruptedRunError

    try:
        yield
    except InterruptedRunError as stop:
        print(f"Stopped at step {stop.step}; the checkpoint is written. {go_on}", file=sys.stderr)
        raise SystemExit(128 + stop.signal_number) from stop


def _set_threads(threads: int | None) -> None:
    import torch

    if threads is not None:
        if threads < 1:
            raise ValueError(f"`threads` must be at least 1; got {threads}.")
        torch.set_num_threads(threads)


def _chosen(options: TrainOptions | TrainAgain) -> str:
    """Flags of the evaluation that a resumed run must be given again."""
    metrics = "" if options.metrics is None else f" --metrics {' '.join(options.metrics)}"
    return metrics + (f" --num-points {n}" if (n := options.num_points) != 10_000 else "")


def _suggest(command: Suggest) -> None:
    from autobeta import api
    from autobeta.training.progress import Progress

    pilot = registry.load("methods", "pilot").Config(likelihood=command.likelihood)
    config = _run_config("pilot", pilot, command)
    _set_threads(command.threads)
    # a pilot collapses in the end, as it should
    progress = Progress(config.train, grace=command.steps + 1)
    with _stoppable("Give the same command again to go on."), progress:
        found = api.suggest(config, command.out, num_steps=command.planned_steps, report=progress)
    printing.suggestion(found, command)
    print(f"\nFigure: {command.out / runs.SUGGESTION_FIGURE}")


def _evaluate(command: Evaluate) -> None:
    from autobeta import api
    from autobeta.evaluation import EvaluationConfig, evaluate

    run = api.load_run(command.run)
    config = EvaluationConfig(
        metrics=command.metrics,
        num_points=command.num_points,
        n_jobs=command.jobs,
        seed=command.seed,
    )
    printing.results(evaluate(run.model, run.dataset, run.folder, config))


def _encode(command: Encode) -> None:
    from autobeta import api
    from autobeta.evaluation import representation_arrays

    found = api.encode(command.run, command.data, num_points=command.num_points)
    runs.write_npz(command.out, representation_arrays({"train": found}))
    num_points, num_latents = found.codes.shape
    print(f"{command.out}: {num_points} codes of {num_latents} latents")


def _traverse(command: Traverse) -> None:
    from autobeta import api

    folder = command.out or command.run / "pictures"
    for path in api.draw_traversals(
        api.load_run(command.run),
        folder,
        images=command.image,
        num_values=command.num_values,
        span=command.span,
    ):
        print(path)


def _report(command: Report) -> None:
    from autobeta.reports import write_report

    print(write_report(command.runs, command.out))


def _score(command: Score) -> None:
    from autobeta.metrics import intervals, score

    arrays = runs.read_npz(command.file)
    if "codes" not in arrays:
        raise ValueError(f"`{command.file}` must hold an array codes; got {sorted(arrays)}.")
    held = [arrays.get(name) for name in ("codes_test", "factors_test")]
    inputs: dict[str, Any] = {
        "factors": arrays.get("factors"),
        "logvars": arrays.get("logvars"),
        "test": None if any(array is None for array in held) else tuple(held),
        "metrics": command.metrics,
        "n_jobs": command.jobs,
        "seed": command.seed,
    }
    ends: dict[str, Any] = {}
    if command.intervals:
        scores, ends = intervals(arrays["codes"], **inputs)
    else:
        scores = score(arrays["codes"], **inputs)
    if command.json:
        print(json.dumps(printing.as_json(scores, ends), indent=2, allow_nan=False))
    else:
        printing.scores(scores, ends)


def _udr(command: Udr) -> None:
    from autobeta import api

    named = api.rank_runs(command.runs, spearman=command.spearman)
    if command.json:
        print(json.dumps(named, indent=2))
    else:
        printing.scores(named, {})


def _list(command: List) -> None:
    for folder in ("methods", "data", "metrics"):
        if command.what in ("all", folder):
            printing.listing(folder)


def _cite(command: Cite) -> None:
    known = {n: f for f in ("data", "methods") for n in registry.available(f)}
    if command.name not in known:
        registry.check_name("methods", command.name)
    print(registry.describe(known[command.name], command.name).get("CITATION", ""))


def _control(command: Control) -> None:
    from autobeta import api
    from autobeta.assemble import RunConfig
    from autobeta.control import analyse

    config = RunConfig.from_json(runs.read_config(command.run))
    controller: Any = api.controller_of(config)
    if controller is None:
        raise ValueError(f"`run` must be a controlled run; got one of {config.method}.")
    log = runs.read_jsonl(command.run / runs.LOG)
    printing.tracking(log, controller)
    gains = controller.near_target()
    printing.loop(analyse(log, **gains._asdict()))


def _convert(command: Convert) -> None:
    from autobeta.control import convert_beta

    beta = convert_beta(
        command.beta,
        command.origin,
        command.target,
        num_values=command.image_size**2 * command.channels,
        num_latents=command.num_latents,
    )
    print(f"{beta:.6g}")


def _with(command: type, run: Callable[[Any], None], name: str) -> Callable[[Sequence[str]], None]:
    return lambda args: run(parse(command, name, args))


COMMANDS: dict[str, tuple[str, Callable[[Sequence[str]], None]]] = {
    "list": ("list methods, data sets and metrics", _with(List, _list, "list")),
    "train": ("train a method on data; resume a run", _train),
    "suggest": ("set point, schedule, bounds from a pilot", _with(Suggest, _suggest, "suggest")),
    "evaluate": ("losses, metrics, traversals of a run", _with(Evaluate, _evaluate, "evaluate")),
    "encode": ("codes of images under a run", _with(Encode, _encode, "encode")),
    "traverse": ("pictures of traversals and samples", _with(Traverse, _traverse, "traverse")),
    "report": ("one HTML page about runs", _with(Report, _report, "report")),
    "score": ("metrics of any codes and factors", _with(Score, _score, "score")),
    "udr": ("rank runs by their agreement, without factors", _with(Udr, _udr, "udr")),
    "data": ("list, info, prepare, verify", data),
    "control": ("tracking, gain, lag and margin of a run", _with(Control, _control, "control")),
    "convert": ("beta of another convention of the loss", _with(Convert, _convert, "convert")),
    "cite": ("BibTeX of a method", _with(Cite, _cite, "cite")),
}


def _usage() -> str:
    lines = [f"  {name:10}{text}" for name, (text, _) in COMMANDS.items()]
    return "usage: autobeta COMMAND ...\n\n" + "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments; those of the process if not given.

    Returns:
        Exit status: 0 done, 1 our error. Bad usage exits with 2, Ctrl-C with 130, SIGTERM with
        143.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if args and args[0] == "--version":
        print(__version__)
        return 0
    if not args or args[0] in ("-h", "--help"):
        print(_usage())
        return 0 if args else 2
    if args[0] not in COMMANDS:
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        print(f"autobeta: no command {args[0]!r}.{hint}\n\n{_usage()}", file=sys.stderr)
        return 2
    warnings.showwarning = _show_warning
    try:
        COMMANDS[args[0]][1](args[1:])
    except BrokenPipeError:
        sys.stdout = None  # the reader, such as `head`, has had enough
        return 0
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        print(f"autobeta: error: {error}", file=sys.stderr)
        return 1
    return 0


def _show_warning(message: Warning | str, *args: object, **kwargs: object) -> None:
    del args, kwargs
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
