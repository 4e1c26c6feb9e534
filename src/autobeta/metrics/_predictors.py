"""Predictors of one factor from all latents, with the importance that they give to each."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Real
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV, LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autobeta.metrics._libraries import load_lightgbm
from autobeta.metrics._validate import Codes, TestCodes, standardised

Column = Real[np.ndarray, " points"]
TestColumn = Real[np.ndarray, " held"]


class Fitted(NamedTuple):
    """A fitted predictor, and the importance of each latent to it, which is not negative."""

    model: Any
    importance: Float[np.ndarray, " latents"]


ALIKE = 0.9  # correlation of two latents above which a tie between them is to be expected

# codes, one factor (integers are classes, other numbers are regressed on), seed
Fit = Callable[[Codes, Column, int], Fitted]


def boost_quickly(x: Codes, y: Column, seed: int) -> Fitted:
    """Boosted trees of depth 3 on histograms: LightGBM with scikit-learn's tree sizes."""
    lightgbm = load_lightgbm()
    kind = lightgbm.LGBMClassifier if y.dtype.kind == "i" else lightgbm.LGBMRegressor
    size = {"n_estimators": 100, "max_depth": 3, "num_leaves": 8, "min_child_samples": 1}
    steady = {"random_state": seed, "n_jobs": 1, "deterministic": True, "force_col_wise": True}
    options: dict[str, Any] = {**size, **steady, "importance_type": "gain", "verbose": -1}
    z = standardised(x)
    alike = np.abs(np.tril(z.T @ z, -1)).max(initial=0) / len(z) > ALIKE
    # of latents that split equally well, LightGBM takes the first: so both ways round
    steps = (1, -1) if alike else (1,)
    models = [kind(**options).fit(x[:, ::step], y) for step in steps]
    pairs = zip(models, steps, strict=True)
    return _fitted(models[0], np.mean([m.feature_importances_[::s] for m, s in pairs], axis=0))


def boost_exactly(x: Codes, y: Column, seed: int) -> Fitted:
    """Gradient boosting as scikit-learn has it, at its defaults; rounding breaks its ties."""
    kind = GradientBoostingClassifier if y.dtype.kind == "i" else GradientBoostingRegressor
    order = np.lexsort((*x.T, y))  # so that the sums are rounded alike in whatever order these are
    model = _standardising(kind(random_state=seed)).fit(x[order], y[order])
    return _fitted(model, model[-1].feature_importances_)


def grow_forest(num_trees: int, min_leaf: int) -> Fit:
    """A random forest with at least `min_leaf` points in a leaf."""

    def fit(x: Codes, y: Column, seed: int) -> Fitted:
        kind = RandomForestClassifier if y.dtype.kind == "i" else RandomForestRegressor
        model = kind(num_trees, min_samples_leaf=min_leaf, max_features=None, random_state=seed)
        model = _standardising(model).fit(x, y)
        return _fitted(model, model[-1].feature_importances_)

    return fit


def _standardising(trees: Any) -> Any:  # noqa: ANN401 - any estimator
    """Trees of scikit-learn on latents of size 1: it takes them as float32, 1e-7 as no range."""
    return make_pipeline(StandardScaler(), trees)


def fit_quietly(model: Any, x: Any, y: np.ndarray) -> Any:  # noqa: ANN401 - any estimator
    """Fit a model that may stop before its tolerance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(x, y)


def fit_lasso(x: Codes, y: Column, seed: int) -> Fitted:
    """Lasso of a standardised factor on standardised latents, its penalty by cross-validation.

    Importances are the weights' sizes. The folds are drawn from sorted points, so that the order
    of points and of latents plays no part.
    """
    size = np.sort(np.abs(standardised(x)).round(9), axis=1)
    order = np.lexsort((*x.T, *size.T, y))[np.random.default_rng(seed).permutation(len(y))]
    x, y = x[order], y[order]
    model = fit_quietly(make_pipeline(StandardScaler(), LassoCV(random_state=seed)), x, y)
    return Fitted(model, np.abs(model[-1].coef_) / y.std())


def fit_linear(x: Codes, y: Column, seed: int) -> Fitted:
    """Logistic regression of classes, least squares of a continuous factor; no seed is needed."""
    model = LogisticRegression(max_iter=1000) if y.dtype.kind == "i" else LinearRegression()
    fitted = fit_quietly(make_pipeline(StandardScaler(), model), x, y)
    return _fitted(fitted, np.abs(np.atleast_2d(model.coef_)).mean(axis=0))


def held_out_score(model: Any, x: Codes, y: Column) -> float:  # noqa: ANN401 - any estimator
    """Accuracy of classes, R^2 of numbers but at least 0, and 0 where these do not vary."""
    predicted = model.predict(x)
    if y.dtype.kind == "i":
        return float(np.mean(predicted == y))
    total = float(np.sum((y - y.mean()) ** 2))
    return max(0.0, 1 - float(np.sum((y - predicted) ** 2)) / total) if total > 0 else 0.0


def fit_and_score(
    fit: Fit, x: Codes, y: Column, x_test: TestCodes, y_test: TestColumn, seed: int
) -> tuple[Float[np.ndarray, " latents"], float]:
    """Importance of each latent, and the score on held-out points; one value is a guess."""
    if len(np.unique(y)) == 1:
        return np.zeros(x.shape[1]), float(np.mean(y_test == y[0])) if y.dtype.kind == "i" else 0.0
    model, importance = fit(x, y, seed)
    return importance, held_out_score(model, x_test, y_test)


def _fitted(model: Any, importance: np.ndarray) -> Fitted:  # noqa: ANN401 - any estimator
    importance = np.maximum(np.asarray(importance, dtype=np.float64), 0)  # rounding: -1e-19
    total = importance.sum()
    return Fitted(model, importance / total if total > 0 else importance)
