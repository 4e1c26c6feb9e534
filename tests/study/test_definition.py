import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autobeta.study.definition import (
    StudyFileError,
    define,
    located,
    narrowed,
    of_length,
    read_definition,
)
from autobeta.study.grid import plan

GOOD = {"methods": ["vae"], "data": ["toy"]}


def write(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text, "utf-8")
    return path


def planned(path):
    """The runs of a study file, as `autobeta study run` plans them."""
    definition = read_definition(path)
    with located(path):
        return plan(definition)


HEAD = 'methods = ["betavae", "lvae"]\ndata = ["toy"]\n'

# text after HEAD, the line, and the message
WRONG = {
    "an unknown key": ("stepz = 3\n", 3, "a study must have known keys.*got 'stepz'"),
    "an unknown key of a part": (
        "[train]\nstpes = 3\n",
        4,
        "`train` must have known keys.*'stpes'. Did you mean 'steps'",
    ),
    "an unknown key of a method": (
        "[method.betavae]\nbeat = 3\n",
        4,
        "`method.betavae` must have known keys.*Did you mean 'beta'",
    ),
    "an unknown key of a method's part": (
        "[method.betavae.train]\nlrr = 3\n",
        4,
        "`method.betavae.train` must have known keys.*Did you mean 'lr'",
    ),
    "an unknown key of data": (
        "[dataset.toy]\nimage_sze = 3\n",
        4,
        "`dataset.toy` must have known keys.*Did you mean 'image_size'",
    ),
    "a method that the study has not": (
        "[method.vae]\n",
        3,
        "`method.vae` must be one of the study's methods; these are betavae, lvae. Add it",
    ),
    "a method that there is not": (
        "[method.betave]\n",
        3,
        "`methods` has no 'betave'.*Did you mean 'betavae'",
    ),
    "data that the study has not": (
        "[dataset.dsprites]\n",
        3,
        "`dataset.dsprites` must be one of the study's data; these are toy",
    ),
    "an unknown preset": (
        '[method.betavae]\npreset = "mpi3"\n',
        4,
        "`preset` of betavae must be one of.*got 'mpi3'. Did you mean 'mpi3d'",
    ),
    "a preset where there is none": (
        '[method.lvae]\npreset = "paper"\n',
        4,
        "`preset` of lvae must be one of none; got 'paper'. Choose one, or leave it out",
    ),
    "several presets": (
        '[method.betavae]\npreset = ["mpi3d"]\n',
        4,
        r"`preset` of betavae must be one of.*got \['mpi3d'\]",
    ),
    "a metric that there is not": (
        '[evaluation]\nmetrics = ["mgi"]\n',
        4,
        "`metrics` has no 'mgi'.*Did you mean 'mig'",
    ),
    "an evaluation's wrong value": (
        "[evaluation]\nnum_points = 1\n",
        4,
        "`num_points` must be at least 2; got 1",
    ),
    "a logger that there is not": ('logger = ["cvs"]\n', 3, "has no 'cvs'.*Did you mean 'csv'"),
    "a network that there is not": (
        '[model]\narchitecture = "burges"\n',
        4,
        "`networks` has no 'burges'.*Did you mean 'burgess'",
    ),
    "an object for a network": (
        '[model]\narchitecture = "object"\n',
        4,
        "`model` must have names; got 'object'",
    ),
    "a setting's wrong value": (
        "[train]\nsteps = 5\nlr = -1\n",
        5,
        "`lr` must be positive and finite; got -1",
    ),
    "a wrong value in a grid": (
        "[method.betavae]\nbeta = [1, -3]\n",
        4,
        r"`beta` must be in \[0, 1e\+09\]; got -3",
    ),
    "a number that is none": (
        "[method.betavae]\nbeta = nan\n",
        4,
        r"`beta` must be in \[0, 1e\+09\]; got nan",
    ),
    "an endless number": ("[train]\nlr = inf\n", 4, "`lr` must be positive and finite; got inf"),
    "a huge number": ("[train]\nsteps = 9223372036854775808\n", 4, "at most 64 bits"),
    "a text for a number": ('[train]\nsteps = "9"\n', 4, "`steps` must be a whole number"),
    "a wrong value of data's own": (
        "[dataset.toy]\nimage_size = 0\n",
        4,
        r"`image_size` must be in \[1, 4096\]; got 0",
    ),
    "a wrong value of a method on data": (
        "[dataset.toy.method.betavae]\nbeta = -1\n",
        4,
        r"`beta` must be in \[0, 1e\+09\]; got -1",
    ),
    "an empty grid": (
        "[method.betavae]\nbeta = []\n",
        4,
        "`method.beta` must have at least one value; got an empty list",
    ),
    "an empty list of tables": (
        "[method]\nbetavae = []\n",
        4,
        r"`method.betavae` must be a table; got \[\]. Write \[method.betavae\]",
    ),
    "a table for a value": (
        "[train.steps]\nsteps = 3\n",
        3,
        "`steps` must be a whole number at least 1; got {'steps': 3}",
    ),
    "a value for a table": ("train = 3\n", 3, r"`train` must be a table; got 3. Write \[train\]"),
    "a value for a method's table": (
        "[method]\nbetavae = 3\n",
        4,
        "`method.betavae` must be a table; got 3",
    ),
    "values for methods' tables": ("method = [1]\n", 3, r"`method` must be a table; got \[1\]"),
    "a list for a table": (
        "[[train]]\nsteps = 3\n",
        3,
        r"`train` must be a table; got \[\{'steps': 3\}\]",
    ),
    "a table among values": (
        "[dataset]\ntoy = [1]\n",
        4,
        r"`dataset.toy` must be a table; got \[1\]",
    ),
    "a title that is no text": ("title = 3\n", 3, "`title` must be a text; got 3"),
    "a date for a source": ("source = 2020-01-01\n", 3, "`source` must be a text"),
    "a seed of a run": ("[train]\nseed = 3\n", 4, "`train.seed` must be left out; set `seeds`"),
    "seeds that are none": ('seeds = "a-b"\n', 3, "`seeds` must be whole numbers from 0"),
    "no seeds": ("seeds = []\n", 3, "`seeds` must be whole numbers.*Give at least one"),
    "endless seeds": ('seeds = "0-99999999999"\n', 3, "`seeds` must be at most 100,000; got more"),
    "too deep": ("title = [[[[[[[[[[]]]]]]]]]]\n", 3, "nested at most 8 deep"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_error_names_file_line_and_rule(case, tmp_path):
    text, line, message = WRONG[case]
    path = write(tmp_path, HEAD + text)
    with pytest.raises(ValueError, match=message) as caught:
        planned(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('data = ["toy"]', "`methods` must be at least one name; got \\[\\]"),
        ("methods = []", "`methods` must be at least one name; got \\[\\]"),
        ('methods = ["betave"]', "line 1: `methods` has no 'betave'.*Did you mean 'betavae'"),
        ("methods = [3]", "`methods` must be at least one name; got \\[3\\]"),
        ("methods = {vae = 1}", "`methods` must be at least one name"),
        ('methods = ["vae"]\ndata = []', "line 2: `data` must be at least one name"),
        ('methods = ["vae"]\ndata = ["dsprite"]', "line 2: .*Did you mean 'dsprites'"),
        ('methods = ["vae"]\ndata = [""]', "line 2: `data` has no ''"),
        ('methods = ["vae"]\ndata = ["a/b"]', "line 2: .*there is nothing at .*a/b. Correct"),
        ('methods = ["vae"]\ndata = ["~nobody_at_all/x"]', "line 2: `data` must be names of data"),
        ("methods = [", "must be TOML; .*Correct it"),
        ("methods = " + "[" * 5000, "must be TOML; it is nested too deeply"),
        ("seeds = " + "9" * 5000, "must be TOML"),
        ("a = 1\na = 2", "must be TOML"),
    ],
)
def test_a_file_that_is_no_study_is_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_definition(write(tmp_path, text))


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="`study` must be a file; there is none at"):
        read_definition(tmp_path / "none.toml")
    with pytest.raises(FileNotFoundError, match="`study` must be a file"):
        read_definition(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be TOML"):
        read_definition(tmp_path / "binary.toml")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([1], "a study must be a table"),
        ({3: 1}, "a study must have texts as keys; got 3"),
        ({**GOOD, "method": {None: {}}}, "`method` must have texts as keys; got None"),
        ({**GOOD, "data": ["x" * 5000]}, "`data` "),
        ({**GOOD, "data": ["a\0b"]}, "`data` "),
        ({**GOOD, "data": ["\ud800"]}, "`data` "),
        ({**GOOD, "seeds": {"a": 1}}, "`seeds` must be whole numbers"),
    ],
)
def test_a_dictionary_that_is_no_study_is_refused(document, message):
    with pytest.raises(StudyFileError, match=message):
        define(document)


def test_a_path_that_is_none_is_refused():
    for path in ("a\0b", "~nobody_at_all/x"):
        with pytest.raises(StudyFileError, match="`path` must be a path; got"):
            plan(define({**GOOD, "options": {"path": path}}))


def test_a_preset_of_an_array_of_tables_is_checked_in_each(tmp_path):
    text = HEAD + '[[method.betavae]]\nbeta = 1\n[[method.betavae]]\npreset = "none"\n'
    with pytest.raises(ValueError, match="line 6: `preset` of betavae"):
        read_definition(write(tmp_path, text))


def test_what_the_command_line_gave_has_no_line_of_the_file(tmp_path):
    path = write(tmp_path, "[train]\nsteps = 5\n")
    document = of_length({"train": {"steps": 5}, **GOOD}, 0)
    refused = pytest.raises(StudyFileError, match=r"^`steps` must be at least 1")
    with refused, located(path, ["train.steps"]):
        plan(define(document))


def test_a_key_in_quotes_or_with_dots_has_its_line(tmp_path):
    (tmp_path / "my.set").mkdir()
    text = 'methods = ["vae"]\ndata = ["my.set"]\n[dataset."my.set"]\nimage_size = 0\n'
    with pytest.raises(ValueError, match="line 4: `image_size`"):
        planned(write(tmp_path, text))
    with pytest.raises(ValueError, match="line 2: `lr` must be"):
        planned(write(tmp_path, 'methods = ["vae"]\ntrain.lr = -1\n'))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0-4", [0, 1, 2, 3, 4]),
        ("0-2 7", [0, 1, 2, 7]),
        ("7 7 0-1", [7, 0, 1]),
        ([3, 1], [3, 1]),
        (["0-1", 5], [0, 1, 5]),
        ((2, 3), [2, 3]),
        (4, [4]),
        (0, [0]),
        (2**63 - 1, [2**63 - 1]),
        (None, [0]),
    ],
)
def test_seeds_are_numbers_or_ranges(given, expected):
    document = GOOD if given is None else {**GOOD, "seeds": given}
    assert define(document).seeds == expected


@pytest.mark.parametrize(
    "given",
    [
        *("", "a", "-1", "1-", "-", "4-2", "0 4-2", "1.0", "1,2", "0–4", str(2**63), "٣"),
        *([], [-1], [1.0], [True], [None], [[1]], [{}], True, 1.5, {"a": 1}),
    ],
)
def test_malformed_seeds_are_refused(given):
    with pytest.raises(StudyFileError, match="`seeds` must be whole numbers from 0, or a range"):
        define({**GOOD, "seeds": given})


def test_seeds_of_many_ranges_are_not_counted_out():
    with pytest.raises(StudyFileError, match="`seeds` must be at most 100,000"):
        define({**GOOD, "seeds": [f"{k}00000-{k}99999" for k in range(1, 10_000)]})


def test_paths_of_a_study_begin_at_its_file(tmp_path):
    (tmp_path / "photos").mkdir()
    text = 'methods = ["vae"]\ndata = ["photos"]\n[dataset.photos]\npath = "elsewhere"\n'
    (run,) = planned(write(tmp_path, text))
    assert run.config.data == str(tmp_path / "photos")
    assert run.config.data_options.path == tmp_path / "elsewhere"


def test_a_name_alone_will_do_for_a_list():
    definition = define({"methods": "vae", "data": "toy", "logger": "csv"})
    assert definition.methods == ["vae"]
    assert definition.data == ["toy"]
    assert definition.logger == ["csv"]


def test_other_methods_or_data_leave_no_table_behind():
    document = {
        **{"methods": ["vae", "betavae"], "data": ["toy", "dsprites"]},
        "method": {"betavae": {"beta": 2}},
        "dataset": {"toy": {"method": {"betavae": {"beta": 3}}}, "dsprites": {}},
    }
    found = narrowed(document, methods=["vae"], data=["toy"])
    assert [run.config.method for run in plan(define(found))] == ["vae"]
    found = narrowed(document, methods=["betavae"])
    assert [run.config.method_config.beta for run in plan(define(found))] == [3, 2]


def test_a_number_of_steps_is_that_of_all_runs():
    document = {
        **{"methods": ["vae", "betavae"], "data": ["toy"], "train": {"steps": 1, "lr": 0.1}},
        "method": {"betavae": [{"train": {"steps": 5}}, {"beta": 2}]},
        "dataset": {"toy": {"train": {"steps": 7}}},
    }
    runs = plan(define(of_length(document, 3)))
    assert [run.config.train.steps for run in runs] == [3, 3, 3]
    assert {run.config.train.lr for run in runs} == {0.1}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["vae", "betavae", "toy", "paper", "0-3", "object", "mig", "~x", "a\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("train", "model", "options", "method", "vae", "betavae", "toy", "beta"),
                    *("steps", "preset", "seed", "path", "metrics", "architecture", "variant"),
                    *("é", ""),
                ]
            )
            | st.integers(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
KEYS = ["methods", "data", "seeds", "train", "model", "options", "method", "dataset", "evaluation"]
KEYS += ["title", "logger"]


def dictionaries(values):
    """Studies that are near to being right, so that not all are refused at once."""
    rest = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
    return rest.map(lambda given: {"methods": ["vae", "betavae"], "data": ["toy"], **given})


@given(dictionaries(VALUES) | VALUES)
def test_anything_is_planned_or_refused(document):
    runs, said = [], ""
    try:
        runs = plan(define(document))
    except ValueError as error:
        said = str(error)
    assert runs or re.search("must|has no", said)
    assert len({run.name for run in runs}) == len(runs)


@given(st.text() | dictionaries(VALUES).map(str) | st.binary().map(lambda b: b.decode("latin-1")))
def test_any_text_is_a_study_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("study") / "study.toml"
    path.write_text(text, "utf-8", errors="replace")
    said = ""
    try:
        runs = planned(path)
    except ValueError as error:
        runs, said = [], str(error)
    assert runs or str(path) in said


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan, math.inf, -math.inf, 1e7])
def test_a_scale_that_is_none_is_refused(scale):
    with pytest.raises(ValueError, match=r"`scale` must be in \(0, 1e\+06\]; got"):
        plan(define(GOOD), scale=scale)


def test_a_byte_order_mark_is_no_part_of_a_study(tmp_path):
    with pytest.raises(ValueError, match=r"study\.toml, line 3: `train` must have known keys"):
        planned(write(tmp_path, "\ufeffmethods = ['vae']\n[train]\nstep = 1\n"))


def test_a_place_has_one_name(tmp_path):
    (tmp_path / "photos").mkdir()
    text = HEAD.replace('"toy"', '"photos", "./photos"')
    with pytest.raises(ValueError, match=r"`data` must name a place once; .*photos and \./photos"):
        read_definition(write(tmp_path, text))


def test_a_setting_may_be_none_in_a_file(tmp_path):
    text = HEAD + '[train]\nvalidate_every = "None"\n[dataset.toy]\n'
    runs = planned(write(tmp_path, text + 'image_size = "None"\n'))
    assert {run.config.train.validate_every for run in runs} == {None}
    assert {run.config.data_options.image_size for run in runs} == {None}
