"""Which runs are of the same data, and which differ only by their seed, by their settings."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from autobeta import registry, settings
from autobeta.reports._read import as_text, grouped

Config = Mapping[str, Any]


class Named(NamedTuple):
    """Texts about a run; see `RunRecord`."""

    name: str
    data: str
    group: str
    label: str


def data_names(configs: Sequence[Config]) -> list[str]:
    """A name for the data of each configuration; two share it only if their data are the same.

    It is the last part of the data's name with what tells it from others of that name. Images of
    one's own are the same if their fingerprints are; where there is none, if that name is.
    """
    facts = [_data_facts(config) for config in configs]
    marks = [str(own.pop("fingerprint", None) or "") for own in facts]
    names = [PurePath(config["data"]["name"]).name for config in configs]
    keys = [(as_text(sorted(own.items())), name) for own, name in zip(facts, names, strict=True)]
    known = grouped(zip(keys, marks, strict=True))
    for place, (key, mark) in enumerate(zip(list(keys), marks, strict=True)):
        found = {mark or other for other in known[key]} - {""}
        if len(found) == 1:
            facts[place]["fingerprint"] = mark = found.pop()
            keys[place] = (key[0], mark)
    return _told_apart([as_text(key) for key in keys], names, facts)


def check_same_data(configs: Mapping[str, Config]) -> None:
    """Raise ValueError where runs, by name and contents of `config.json`, are of different data.

    Another variant or image size of a data set is different data.
    """
    (first, data), *others = zip(configs, data_names(list(configs.values())), strict=True)
    for run, other in others:
        if other != data:
            raise ValueError(
                f"`runs` must be of the same data; {first} has {data}, {run} has {other}. "
                "Compare runs of one data set, variant and image size."
            )


def groups(configs: Sequence[Config], runs: Sequence[str]) -> list[Named]:
    """Data and group of each run; runs that differ only by their seed share group and label.

    A label is the method, its data where there are several, and the settings that differ within
    them; the first run's name where these are more than three, or longer than 60 letters.
    """
    names = data_names(configs)
    several = len(set(names)) > 1
    own, keys, bases = [], [], []
    for config, name in zip(configs, names, strict=True):
        whole = settings.identity(config) | {"train.seed": None}
        own.append({key: v for key, v in whole.items() if not key.startswith("data.")})
        keys.append(as_text([name, *sorted(own[-1].items())]))
        bases.append(f"{whole['method']} on {name}" if several else str(whole["method"]))
    first = dict(zip(reversed(keys), reversed(runs), strict=True))
    labels = {
        key: label if label.count("=") <= 3 and len(label) <= 60 else first[key]
        for key, label in zip(keys, _told_apart(keys, bases, own), strict=True)
    }
    labels = labels if len(set(labels.values())) == len(labels) else first
    return [Named(*n, labels[n[2]]) for n in zip(runs, names, keys, strict=True)]


def _data_facts(config: Config) -> dict[str, Any]:
    """What makes the data what they are; the images' shape in place of how it was asked for."""
    whole = settings.identity(config)
    own = {key.removeprefix("data."): v for key, v in whole.items() if key.startswith("data.")}
    if isinstance(own.get("image_shape"), list):
        shape = "×".join(map(str, own["image_shape"]))
        own |= {"image_size": None, "channels": None, "image_shape": shape}
    if own.get("variant") is None and own["name"] in registry.available("data"):
        variants = registry.describe("data", own["name"]).get("VARIANTS")
        own["variant"] = variants[0] if isinstance(variants, tuple) else None
    return own


def _told_apart(
    keys: Sequence[str], bases: Sequence[str], own: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Each base with those of its settings that differ between the keys of that base."""
    found = {
        key: (base, {name: as_text(value) for name, value in facts.items()})
        for key, base, facts in reversed(list(zip(keys, bases, own, strict=True)))
    }  # reversed: the first base of a key stays
    peers = grouped(found.values())
    labels = {}
    for key, (base, texts) in found.items():
        differ = [n for n in texts if len({peer.get(n) for peer in peers[base]}) > 1]
        labels[key] = base + "".join(f", {n.rpartition('.')[2]}={texts[n]}" for n in differ)
    return [labels[key] for key in keys]
