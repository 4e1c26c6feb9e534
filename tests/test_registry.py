import re

import pytest

from autobeta import registry


def test_unknown_name_lists_what_exists_and_the_nearest():
    wanted = "`methods` has no 'betavea'; it has annealedvae"
    with pytest.raises(ValueError, match=re.escape(wanted)):
        registry.load("methods", "betavea")
    with pytest.raises(ValueError, match="Did you mean 'dynamicvae'"):
        registry.check_name("methods", "dynamicae")


def test_name_without_a_neighbour_gets_no_guess():
    with pytest.raises(ValueError, match=r"vae\.$"):
        registry.check_name("methods", "xyzzy")


@pytest.mark.parametrize("folder", ["methods", "data", "metrics"])
def test_every_module_states_its_source(folder):
    for name in registry.available(folder):
        facts = registry.describe(folder, name)
        assert facts["SOURCE"], name
        assert str(facts["doc"]).split("\n")[0].endswith((".", ":")), name


@pytest.mark.parametrize("folder", ["methods", "data"])
def test_every_method_and_data_set_can_be_cited(folder):
    for name in registry.available(folder):
        citation = registry.describe(folder, name).get("CITATION")
        assert citation is not None, name
        assert citation == "" or str(citation).startswith("@"), name


def test_description_is_the_module_s_own():
    facts = registry.describe("methods", "betavae")
    module = registry.load("methods", "betavae")
    assert facts["SOURCE"] == module.SOURCE
    assert facts["CITATION"] == module.CITATION
