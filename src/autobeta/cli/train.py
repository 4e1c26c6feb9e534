"""Train a method on data; resume a run."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from autobeta import registry
from autobeta.cli._print import print_results, print_tracking
from autobeta.cli._ranks import agreeing, program
from autobeta.cli._run import REPEAT, RunFlags, changed, stoppable
from autobeta.errors import pasted
from autobeta.settings import EvaluationConfig, ModelConfig, RunConfig, TrainConfig, differences


@dataclass(frozen=True, kw_only=True)
class EndFlags:
    """What every training takes: how it is evaluated, and who follows it."""

    evaluation: Annotated[EvaluationConfig, tyro.conf.arg(name="")] = EvaluationConfig()
    extend: bool = False
    """Train a run further than it was meant to go; fitted schedules change with it."""
    logger: tuple[str, ...] = ()
    """Where curves and scores go besides the run folder's log: csv, tensorboard, wandb, mlflow, or
    several of them; `autobeta list callbacks` says what each is."""


@dataclass(frozen=True, kw_only=True)
class TrainFlags(EndFlags, RunFlags):
    """Options of `autobeta train METHOD` that all methods share."""

    preset: str | None = None
    """Settings published for some data; `autobeta list methods METHOD` names them."""


@dataclass(frozen=True, kw_only=True)
class AgainFlags(EndFlags):
    """Repeat or resume a run from its config.json."""

    config: Path
    """The config.json of a run."""
    out: Path
    """Run folder; the run's own folder to resume it."""
    steps: int | None = None
    """Number of optimiser updates, to train it further with --extend; as in the configuration if
    not given."""
    device: str | None = None
    """auto, cpu, cuda, cuda:N or mps; as in the configuration if not given."""
    threads: int | None = None
    """Threads of torch on the CPU; as in the configuration if not given."""


Flags = TrainFlags | AgainFlags


def main(args: Sequence[str]) -> None:
    """The command `autobeta train`, given what follows it on the command line."""
    with agreeing() as agree:
        config, flags, before = agree(lambda: _asked(args))
        _carry_out(config, flags, before)


def _asked(args: Sequence[str]) -> tuple[RunConfig, Flags, int | None]:
    """The configuration and the other flags, and the updates that a run there has had."""
    if args and not args[0].startswith("-"):
        config, flags = _of_method(registry.check_name("methods", args[0]), args[1:])
    elif any(arg.split("=")[0] == "--config" for arg in args):
        config, flags = _again(tyro.cli(AgainFlags, prog="autobeta train", args=args))
    else:
        print(_usage())
        raise SystemExit(0 if {"-h", "--help"} & set(args) else 2)
    return config, flags, _steps_before(flags.out)


def _steps_before(out: Path) -> int | None:
    from autobeta.run import folder as files
    from autobeta.run.load import trained_steps

    return trained_steps(out) if (out / files.CONFIG).exists() else None


def _usage() -> str:
    names = ", ".join(registry.listed("methods"))
    return (
        "usage: autobeta train METHOD --out RUN_DIR [--data NAME] [--steps N] [--seed S] ...\n"
        "       autobeta train --config RUN_DIR/config.json --out RUN_DIR\n\n"
        f"METHOD is one of {names}.\n"
        "`autobeta train METHOD --help` lists all settings."
    )


def _of_method(method: str, args: Sequence[str]) -> tuple[RunConfig, Flags]:
    module = registry.load("methods", method)
    preset = _preset(method, module.PRESETS, args)
    usual = [("model", ModelConfig), ("train", TrainConfig)]
    published = dataclasses.make_dataclass(
        "TrainFlags",
        [(k, Annotated[kind, tyro.conf.arg(name="")], _with(kind(), preset)) for k, kind in usual],
        bases=(TrainFlags,),
        frozen=True,
        kw_only=True,
    )
    fields: list[tuple[str, Any, Any]] = [
        ("flags", Annotated[published, tyro.conf.arg(name="")], dataclasses.field()),
        ("method", module.Config, _with(module.Config(), preset)),
    ]
    doc = (module.__doc__ or "").split("\n")[0]
    command = dataclasses.make_dataclass("Train", fields, namespace={"__doc__": doc})
    parsed: Any = tyro.cli(command, prog=f"autobeta train {method}", args=args)
    flags: TrainFlags = parsed.flags
    return flags.config(method, parsed.method), flags


def _with(settings: Any, preset: dict[str, object]) -> Any:  # noqa: ANN401 - settings
    own = {f.name for f in dataclasses.fields(settings)}
    return dataclasses.replace(settings, **{k: v for k, v in preset.items() if k in own})


def _preset(
    method: str, presets: dict[str, dict[str, object]], args: Sequence[str]
) -> dict[str, object]:
    """Settings of the preset that the arguments name, before they are parsed in full."""
    for i, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name == "--preset":
            wanted = value or (args[i + 1] if i + 1 < len(args) else "")
            if wanted.startswith("-"):
                raise ValueError(f"`preset` must be a name; got none before {wanted!r}.")
            if wanted not in presets:
                known = ", ".join(presets) or "none"
                raise ValueError(f"`preset` of {method} must be one of {known}; got {wanted!r}.")
            return presets[wanted]
    return {}


def _again(flags: AgainFlags) -> tuple[RunConfig, Flags]:
    from autobeta.run import folder as files

    config = RunConfig.from_json(files.read_config_file(flags.config))
    given = {name: getattr(flags, name) for name in ("device", "threads", "steps")}
    own = {name: value for name, value in given.items() if value is not None}
    train = dataclasses.replace(config.train, **own)
    return dataclasses.replace(config, train=train), flags


def _is_claimed(out: Path, config: RunConfig) -> bool:
    """Whether a run folder has this run, so that its own config.json tells how to go on.

    Until it is claimed it may have none, or one of fewer steps that is to be extended.
    """
    from autobeta.run import folder as files

    try:
        found = differences(files.read_config(out), config.to_json())
    except (OSError, ValueError):
        return False
    return not {*found} - {"train.precision"}  # of auto the run has what was chosen


def _carry_out(config: RunConfig, flags: Flags, before: int | None) -> None:
    from autobeta.run import folder as files
    from autobeta.run.train import train
    from autobeta.training import Callback
    from autobeta.training.callbacks.progress import Progress
    from autobeta.training.ranks import launched

    out = flags.out
    callbacks: list[Callback | str] = [Progress(), *dict.fromkeys(flags.logger)]
    evaluation = flags.evaluation
    again = pasted(*program(), "train", "--config", out / files.CONFIG, "--out", out)
    chosen = [*changed(evaluation, EvaluationConfig())]
    chosen += ["--logger", *flags.logger] if flags.logger else []
    hint = f"Go on with\n  {again} {pasted(*chosen)}".rstrip()
    with stoppable(lambda: hint if _is_claimed(out, config) else REPEAT):
        run = train(config, out, extend=flags.extend, evaluation=evaluation, callbacks=callbacks)
    if not launched().first:
        return
    done = "is finished already; it was not trained again" if before == run.step else "is finished"
    steps = run.config.train.steps
    early = f", stopped early at step {run.step} of {steps}" if run.step < steps else ""
    print(f"{out} {done}{early}.")
    print_results(files.read_metrics(run.folder / files.METRICS))
    print_tracking(files.read_log(out), files.read_config(out))
