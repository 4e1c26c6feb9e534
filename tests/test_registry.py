import re
import sys
import textwrap
from importlib.metadata import EntryPoint

import numpy as np
import pytest

from autobeta import DataOptions, cli, load_run, registry
from autobeta.data import load_data
from autobeta.metrics import score


def test_unknown_name_lists_what_exists_and_the_nearest():
    wanted = "`methods` has no 'betavea'; it has annealedvae"
    with pytest.raises(ValueError, match=re.escape(wanted)):
        registry.load("methods", "betavea")
    with pytest.raises(ValueError, match="Did you mean 'dynamicvae'"):
        registry.check_name("methods", "dynamicae")


def test_name_without_a_neighbour_gets_no_guess():
    with pytest.raises(ValueError, match=r"vae\.$"):
        registry.check_name("methods", "xyzzy")


def test_images_of_ones_own_are_named_by_their_path():
    with pytest.raises(ValueError, match=r"has no 'xyzzy'; .* own are named by their path"):
        registry.check_name("data", "xyzzy")


@pytest.mark.parametrize(
    "folder", ["methods", "data", "metrics", "models/networks", "models/likelihoods"]
)
def test_every_module_states_its_source(folder):
    for name in registry.available(folder):
        facts = registry.describe(folder, name)
        assert facts["SOURCE"], name
        assert str(facts["doc"]).split("\n")[0].endswith((".", ":")), name


@pytest.mark.parametrize("folder", ["methods", "data"])
def test_what_others_published_can_be_cited(folder):
    ours = {"toy", "scenes3d", "arrays", "hdf5", "folder", "huggingface"}
    for name in set(registry.available(folder)) - ours:
        assert str(registry.describe(folder, name)["CITATION"]).startswith("@"), name


def test_description_is_the_module_s_own():
    facts = registry.describe("methods", "betavae")
    module = registry.load("methods", "betavae")
    assert facts["SOURCE"] == module.SOURCE
    assert facts["CITATION"] == module.CITATION


OUTSIDE = {
    "methods": """
        '''Outside: half a beta.'''
        from dataclasses import dataclass
        from autobeta.methods import Recipe
        from autobeta.objectives import Elbo
        from autobeta.rules import NonNegative, check_settings
        from autobeta.weighting import ScheduledWeights
        SOURCE = "elsewhere"
        CITATION = "@misc{outside}"
        ADAPTS = "nothing"
        PRESETS = {}
        @dataclass(frozen=True, kw_only=True)
        class Config:
            half: NonNegative = 0.5
            def __post_init__(self):
                check_settings(self)
        def build(config, facts):
            return Recipe(objective=Elbo(), weighting=ScheduledWeights({"kl": config.half}))
        """,
    "networks": """
        '''Outside: one linear layer each way.'''
        from math import prod
        from torch import nn
        SOURCE = "elsewhere"
        def encoder(image_shape, num_latents):
            return nn.Sequential(nn.Flatten(), nn.Linear(prod(image_shape), 2 * num_latents))
        def decoder(image_shape, num_latents):
            height, width, channels = image_shape
            shaped = nn.Unflatten(1, (channels, height, width))
            return nn.Sequential(nn.Linear(num_latents, prod(image_shape)), shaped)
        """,
    "likelihoods": """
        '''Outside: a Gaussian of sigma 0.5.'''
        from autobeta.models.likelihoods.gaussian import Gaussian
        SOURCE = "elsewhere"
        def build():
            return Gaussian(0.5)
        """,
    "data": """
        '''Outside: a grey level and a shift.'''
        import numpy as np
        SOURCE = "elsewhere"
        FACTORS = {"grey": 4, "shift": 8}
        CITATION = None
        def render(index, image_size=64):
            images = np.zeros((len(index), image_size, image_size, 1), np.uint8)
            for image, place in zip(images, index):
                image[:, place % 8 * 2 :] = 60 * (1 + place // 8)
            return images
        """,
}


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A package that is installed beside ours, with an entry point of each kind."""
    for kind, text in OUTSIDE.items():
        (tmp_path / f"outside_{kind}.py").write_text(textwrap.dedent(text))
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    groups = [f"[autobeta.{kind}]\noutside = outside_{kind}\n" for kind in OUTSIDE]
    (info / "entry_points.txt").write_text("\n".join([*groups, "vae = outside_methods\n"]))
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._outside.cache_clear()
    yield tmp_path
    registry._outside.cache_clear()
    for kind in OUTSIDE:
        sys.modules.pop(f"outside_{kind}", None)


def test_packages_outside_add_names_by_entry_points(outside, capsys):
    assert "outside" in registry.available("methods")
    assert registry.describe("methods", "outside")["SOURCE"] == "elsewhere"
    assert registry.defaults("methods", "outside") == {"half": 0.5}
    assert cli.main(["list", "methods"]) == 0
    assert "Outside: half a beta" in capsys.readouterr().out
    assert registry.load("methods", "vae").__name__ == "autobeta.methods.vae"  # ours stays ours


def test_entry_points_are_read_where_another_library_answers_for_pythons(outside):
    pytest.importorskip("importlib_metadata")  # as MLflow does, whose database needs it
    registry._outside.cache_clear()
    assert type(registry._outside("methods")["outside"]) is EntryPoint


@pytest.mark.whole
def test_names_from_outside_train_a_run_like_any_other(outside, capsys):
    command = ["train", "outside", "--data", "toy", "--image-size", "32", "--steps", "2"]
    command += ["--architecture", "outside", "--likelihood", "outside", "--batch-size", "8"]
    command += ["--num-points", "50", "--metrics", "mig", "--method.half", "0.25"]
    assert cli.main([*command, "--out", str(outside / "run")]) == 0
    run = load_run(outside / "run")
    assert (run.config.method, run.config.model.architecture) == ("outside", "outside")
    assert cli.main(["evaluate", str(outside / "run")]) == 0
    report = ["report", str(outside / "run"), "--out", str(outside / "report.html")]
    assert cli.main(report) == 0


@pytest.mark.parametrize("disk", ["", 'DISK = "some"'], ids=["in memory", "on disk"])
def test_a_set_from_outside_needs_three_facts(outside, monkeypatch, capsys, disk):
    monkeypatch.setenv("AUTOBETA_DATA", str(outside / "data"))
    with (outside / "outside_data.py").open("a") as file:
        file.write(disk)
    dataset = load_data("outside", DataOptions(image_size=32))
    assert (len(dataset), dataset.image_shape) == (32, (32, 32, 1))
    assert dataset.factor_values(np.arange(32))[[0, 7, 31]].tolist() == [[0, 0], [0, 7], [3, 7]]
    assert [image.max() for image in dataset.images(np.array([0, 31]))] == [60, 240]
    points = outside / "outside-1.0.dist-info" / "entry_points.txt"
    group = "[autobeta.data]\n"
    points.write_text(points.read_text().replace(group, f"{group}grid = outside_data\n"))
    registry._outside.cache_clear()
    for command in (["data", "info", "grid"], ["cite", "grid"], ["data", "verify", "grid"]):
        assert cli.main(command) == 0
    said = capsys.readouterr().out
    assert "factors: grey 4, shift 8" in said
    assert "% there is nothing to cite" in said


BROKEN = {
    "no module": ("no_such_module", None),
    "no package": ("no_such_package.module", None),
    "syntax": ("outside_bad", "def ("),
    "binary": ("outside_bad", "\0"),
    "its package": ("outside_bad.module", "raise OSError('no licence')"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_entry_point_that_leads_nowhere_is_left_out_with_its_package(outside, capsys, name):
    module, text = BROKEN[name]
    if text is not None:
        (outside / "outside_bad.py").write_text(text)
    points = outside / "outside-1.0.dist-info" / "entry_points.txt"
    group = "[autobeta.methods]\n"
    points.write_text(points.read_text().replace(group, f"{group}odd = {module}\n"))
    told = f"'odd', which the package outside adds to autobeta.methods, is left out: '{module}'"
    registry._outside.cache_clear()
    with pytest.warns(UserWarning, match=re.escape(told)):
        assert "odd" not in registry.available("methods")
    assert "outside" in registry.available("methods")  # its others stay
    assert cli.main(["list", "methods"]) == 0
    assert cli.main(["train", "odd", "--out", str(outside / "run")]) == 1
    assert "`methods` has no 'odd'" in capsys.readouterr().err


def test_a_module_from_outside_that_is_gone_since_is_an_import_error(outside):
    assert "outside" in registry.available("methods")
    (outside / "outside_methods.py").unlink()
    with pytest.raises(ImportError):
        registry.load("methods", "outside")
    with pytest.raises(ImportError, match="there is no module outside_methods"):
        registry.describe("methods", "outside")


@pytest.fixture
def outside_metric(outside):
    """Write a metric of another package, and have it found."""

    def write(text):
        (outside / "outside_metrics.py").write_text(textwrap.dedent(text))
        points = outside / "outside-1.0.dist-info" / "entry_points.txt"
        points.write_text("[autobeta.metrics]\noutside = outside_metrics\n")
        registry._outside.cache_clear()

    yield write
    sys.modules.pop("outside_metrics", None)


FACTORS = np.random.default_rng(0).integers(0, 3, (60, 2))


def test_a_metric_from_outside_that_lacks_constants_is_left_out(outside_metric):
    outside_metric("NEEDS = ()\nRANGE = (0, 1)\nSOURCE = 'elsewhere'\n")
    with pytest.warns(UserWarning, match="'outside', .* is left out: .*it has no DEFAULT"):
        assert "outside" not in registry.available("metrics")
    score(FACTORS + 0.0, FACTORS, metrics=["mig"])


@pytest.mark.filterwarnings("ignore:left out. (dci|explicitness|latents)")
def test_a_metric_from_outside_that_fails_takes_no_other_score_with_it(outside_metric):
    outside_metric(
        """
        SOURCE = "elsewhere"
        NEEDS = ()
        RANGE = (0, 1)
        DEFAULT = True
        def outside(codes, factors, *, seed=0):
            return [][0]
        """
    )
    with pytest.warns(UserWarning, match="left out: outside. list index out of range"):
        found = score(FACTORS + 0.0, FACTORS)
    assert "mig[bins=20]" in found
    with pytest.raises(IndexError):
        score(FACTORS + 0.0, FACTORS, metrics=["outside"])
