"""Formats of `config.json`: what an earlier one left out, or had elsewhere, in the present one."""

from collections.abc import Mapping
from typing import Any

FORMAT = 4
_ADAM = {"weight_optimizer": "adam", "beta_initial": 0.0, "start": "ones", "warmup": 0}
# settings of methods as they were before a format, where its default is another
_FORMER: dict[int, dict[str, dict[str, Any]]] = {
    3: {"sigmavae": {"mean": "logistic"}, "factorvae": {"discriminator_layers": 5}},
    4: {
        "lvae": _ADAM,
        "mdlvae": _ADAM,
        "dynamicvae": {"controller": "log"},
        "controlvae": {"controller": "positional", "rising": 0.9},
        "annealedvae": {"gamma": 1000.0, "rising": 0.33},
        "geco": {"target": 60.0, "rate": 1e-4, "decay": 0.99, "max_change": 0.001},
    },
}


def is_same(a: Any, b: Any) -> bool:  # noqa: ANN401
    """Whether two stored values are the same: a script's own object is, when it is imported."""
    for one, other in ((a, b), (b, a)):
        path = one.get("path", "") if isinstance(one, dict) and isinstance(other, dict) else ""
        if path.startswith("__main__.") and other["path"].endswith(path.removeprefix("__main__")):
            return bool(one == {**other, "path": path})
    return bool(a == b)


def _check_facts(stored: Mapping[str, Any]) -> None:
    """Refuse what a run has written of itself, where it is of another kind."""
    fingerprint = stored["data"].get("fingerprint")
    objects, control = (stored.get(key) or {} for key in ("objects", "control"))
    fits = {
        "fingerprint": isinstance(fingerprint, str | None),
        "objects": isinstance(objects, dict) and all(map(_is_known, objects.values())),
        "control": isinstance(control, dict) and all(map(_is_end, control.values())),
    }
    found = {"fingerprint": fingerprint, "objects": objects, "control": control}
    if odd := next((name for name, whole in fits.items() if not whole), None):
        raise ValueError(f"a configuration must have no such {odd}: {found[odd]!r:.40}.")


def _is_known(entry: Any) -> bool:  # noqa: ANN401
    return isinstance(entry, dict) and isinstance(entry.get("path"), str)


def _is_end(entry: Any) -> bool:  # noqa: ANN401
    return entry is None or (isinstance(entry, int | float) and -1e300 < entry < 1e300)


def upgraded(stored: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a file holds
    """A configuration of this or an earlier format in the present one.

    Raises:
        ValueError: If it is no configuration, or of a later format.
    """
    stored = stored if isinstance(stored, Mapping) else {}
    found = stored.get("format")
    if found not in range(1, FORMAT + 1):
        raise ValueError(f"a configuration must have format {FORMAT}; got {found!r}.")
    kinds = {"method": str, "method_config": dict, "data": dict, "model": dict, "train": dict}
    for key, kind in kinds.items():
        if not isinstance(stored.get(key), kind):
            raise ValueError(
                f"a configuration must have {key!r}, a {kind.__name__}; got {stored.get(key)!r}."
            )
    if not isinstance(stored["data"].get("name"), str):
        raise ValueError("a configuration must have the `name` of its data; found none.")
    _check_facts(stored)
    new = {**stored, "format": FORMAT}
    if found == 1:  # the likelihood was a setting of the methods
        method = dict(stored["method_config"])
        likelihood = method.pop("likelihood", "bernoulli")
        new |= {"method_config": method, "model": {"likelihood": likelihood, **stored["model"]}}
    if found < 3:  # every mean went through the logistic function
        name = new["model"].get("likelihood")
        if name in ("gaussian", "learnedsigma", "optimalsigma"):
            new["model"] = {**new["model"], "likelihood": f"{name}_logistic"}
    for form, methods in _FORMER.items():
        if found < form:
            former = methods.get(new["method"], {})
            new["method_config"] = {**former, **new["method_config"]}
    return new
