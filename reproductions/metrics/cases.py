"""Codes with known answers, with the factor sizes of dSprites."""

import numpy as np
from scipy.stats import norm

SIZES = np.array([3, 6, 40, 32, 32])
LATENTS = 10
NOISY = 0.5  # standard deviation of the noise of a noisy code
POSTERIOR = 0.2  # standard deviation of the posteriors, where a score asks for them


def draw_factors(n, rng):
    return rng.integers(SIZES, size=(n, len(SIZES)))


def scaled(factors):
    """Factor values with mean 0 and variance 1 over the full grid: a perfect code."""
    return (factors - (SIZES - 1) / 2) / np.sqrt((SIZES**2 - 1) / 12)


def perfect(n, rng):
    factors = draw_factors(n, rng)
    return scaled(factors), factors


def with_noise(std):
    """A perfect code with Gaussian noise added."""

    def draw(n, rng):
        codes, factors = perfect(n, rng)
        return codes + std * rng.standard_normal(codes.shape), factors

    return draw


def noise(n, rng):
    """Ten uniform latents that know nothing of the factors."""
    return rng.uniform(-1, 1, (n, LATENTS)), draw_factors(n, rng)


def rotated(degrees):
    """A nearly perfect code, turned in each plane of neighbouring latents in turn."""

    def draw(n, rng):
        codes, factors = with_noise(0.1)(n, rng)
        c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        for i in range(len(SIZES)):
            j = (i + 1) % len(SIZES)
            codes[:, i], codes[:, j] = (
                c * codes[:, i] - s * codes[:, j],
                (s * codes[:, i] + c * codes[:, j]),
            )
        return codes, factors

    return draw


def partial(n, rng):
    """Two factors of five, each in a latent; the other latents are noise."""
    factors = draw_factors(n, rng)
    free = rng.standard_normal((n, LATENTS - 2))
    return np.hstack([scaled(factors)[:, 2:4] + 0.1 * rng.standard_normal((n, 2)), free]), factors


def copied(n, rng):
    """Each factor in two latents, with noise of their own."""
    factors = draw_factors(n, rng)
    twice = np.hstack([scaled(factors)] * 2)
    return twice + 0.2 * rng.standard_normal(twice.shape), factors


def bent(n, rng):
    """Each factor as sine and cosine."""
    factors = draw_factors(n, rng)
    angle = 2 * scaled(factors)
    codes = np.hstack([np.sin(angle), np.cos(angle)])
    return codes + 0.1 * rng.standard_normal(codes.shape), factors


def entangled(n, rng):
    """Five factors and five noises, all turned at random."""
    factors = draw_factors(n, rng)
    parts = np.hstack([scaled(factors), 0.3 * rng.standard_normal((n, 5))])
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((10, 10)))[0]
    return (parts + 0.1 * rng.standard_normal(parts.shape)) @ turn, factors


def information(std):
    """Nats that a code has of each factor when it is the factor with Gaussian noise added."""
    found = []
    for size in SIZES:
        centres = (np.arange(size) - (size - 1) / 2) / np.sqrt((size**2 - 1) / 12)
        grid = np.linspace(centres[0] - 8 * std, centres[-1] + 8 * std, 20_001)
        density = norm.pdf(grid[:, None], centres, std).mean(axis=1)
        entropy = -np.trapezoid(density * np.log(density), grid)
        found.append(entropy - 0.5 * np.log(2 * np.pi * np.e * std**2))
    return np.array(found)
