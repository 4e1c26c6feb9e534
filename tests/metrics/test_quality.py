"""Image quality."""

import numpy as np
import pytest

from autobeta.metrics import image_quality


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(3, 32, 32, 3), dtype=np.uint8)


def test_equal_images_are_perfect(images):
    assert image_quality(images, images) == (0, 100, pytest.approx(1))


def test_a_constant_error_has_its_known_size():
    x = np.full((2, 16, 16, 1), 0.25)
    found = image_quality(x, x + 0.1)
    assert found.mse == pytest.approx(0.01)
    assert found.psnr == pytest.approx(20)
    # without structure SSIM compares means alone, with the constant (0.01 * 1)^2
    assert found.ssim == pytest.approx((2 * 0.25 * 0.35 + 1e-4) / (0.25**2 + 0.35**2 + 1e-4))


def test_structural_similarity_is_that_of_scikit_image(images):
    metrics = pytest.importorskip("skimage.metrics")
    other = np.roll(images, 1, axis=1)
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [
        metrics.structural_similarity(a / 255, b / 255, data_range=1, channel_axis=-1, **window)
        for a, b in zip(images, other, strict=True)
    ]
    assert image_quality(images, other).ssim == pytest.approx(np.mean(expected), rel=1e-12)


def test_uint8_and_real_images_are_the_same_images(images):
    other = images[::-1]
    assert image_quality(images / 255, other) == pytest.approx(image_quality(images, other))


def test_numbers_are_means_over_images(images):
    each = [image_quality(images[i : i + 1], images[[0]]) for i in range(3)]
    assert image_quality(images, images[[0, 0, 0]]) == pytest.approx(np.mean(each, axis=0))


def test_more_noise_is_worse_in_all_three(images):
    rng = np.random.default_rng(0)
    x = images / 255
    noise = rng.normal(size=x.shape)
    found = [image_quality(x, np.clip(x + std * noise, 0, 1)) for std in (0.02, 0.1, 0.5)]
    assert found[0].mse < found[1].mse < found[2].mse
    assert found[0].psnr > found[1].psnr > found[2].psnr
    assert found[0].ssim > found[1].ssim > found[2].ssim


def test_wrong_images_are_refused(images):
    with pytest.raises(TypeError, match="`images` must be uint8 or real; got dtype int64"):
        image_quality(images, images.astype(np.int64))
    with pytest.raises(ValueError, match="`images` must have the shape of `originals`"):
        image_quality(images, images[:2])
    with pytest.raises(ValueError, match=r"`originals` must have shape .* got \(3, 32, 32\)"):
        image_quality(images[..., 0], images)
    with pytest.raises(ValueError, match=r"at least 11 pixels high and wide; got \(3, 8, 32, 3\)"):
        image_quality(images[:, :8], images[:, :8])
    with pytest.raises(ValueError, match=r"`images` must lie in \[0, 1\]; got 0 to 255"):
        image_quality(images, images.astype(float))
    with pytest.raises(ValueError, match=r"`images` must lie in \[0, 1\]; got nan to nan"):
        image_quality(images, np.full(images.shape, np.nan))
