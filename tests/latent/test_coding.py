import statistics
import time

import numpy as np
import pytest
import torch

from vaeviz.latent import decode, embed, per_example_elbo
from vaeviz.models import ConvVAE, DenseVAE, Posterior, elbo


@pytest.fixture
def vae():
    return DenseVAE((1, 4, 6), (16,), 3, dropout=0.5, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture
def images():
    return torch.rand(10, 1, 4, 6, generator=torch.Generator().manual_seed(1))


def test_embed_gives_the_posterior_of_every_image(vae, images):
    embedding = embed(vae, images)
    mu, logvar = vae.encode(images)
    np.testing.assert_allclose(embedding.mu, mu.detach(), rtol=1e-6)
    np.testing.assert_allclose(embedding.logvar, logvar.detach(), rtol=1e-6)


def test_embeddings_are_float32_and_read_only(vae, images):
    for array in embed(vae, images):
        assert array.dtype == np.float32
        assert not array.flags.writeable


@pytest.mark.parametrize("batch_size", [1, 3, 10, 1024])
def test_the_batch_size_does_not_show(vae, images, batch_size):
    np.testing.assert_allclose(embed(vae, images, batch_size).mu, embed(vae, images).mu, atol=1e-5)


def test_bytes_are_divided_by_255(vae):
    pixels = torch.randint(0, 256, (5, 1, 4, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    np.testing.assert_allclose(embed(vae, pixels).mu, embed(vae, pixels.float() / 255).mu)


def test_decode_gives_probabilities(vae):
    z = np.array([[0.0, 0.0, 0.0], [100.0, -100.0, 100.0]])
    images = decode(vae, z)
    assert images.shape == (2, 1, 4, 6)
    assert images.dtype == np.float32
    assert images.min() >= 0
    assert images.max() <= 1
    np.testing.assert_allclose(images, vae.decode(torch.tensor(z).float()).sigmoid().detach(), rtol=1e-5)


def test_decode_takes_a_read_only_embedding(vae, images):
    assert decode(vae, embed(vae, images).mu, batch_size=4).shape == (10, 1, 4, 6)


@pytest.mark.parametrize("model", [DenseVAE((3, 4, 6), (8,)), ConvVAE((3, 4, 6), (4,), 8)])
def test_nothing_in_gives_nothing_out(model):
    model.eval()
    assert embed(model, torch.zeros(0, 3, 4, 6)).mu.shape == (0, 2)
    assert decode(model, np.zeros((0, 2))).shape == (0, 3, 4, 6)


def test_cost_is_that_of_the_posteriors_mean(vae, images):
    with torch.no_grad():
        posterior = vae.encode(images)
        expected = elbo(vae.decode(posterior.mu), images, Posterior(*posterior))
    cost = per_example_elbo(vae, images, batch_size=4)
    assert (cost.reconstruction.shape, cost.kl.shape) == ((10,), (10, 3))
    np.testing.assert_allclose(cost.reconstruction, expected.reconstruction, rtol=1e-5)
    np.testing.assert_allclose(cost.kl, expected.kl, rtol=1e-4, atol=1e-6)


def test_cost_of_bytes_is_that_of_the_pixels_they_stand_for(vae):
    pixels = torch.full((2, 1, 4, 6), 51, dtype=torch.uint8)
    cost = per_example_elbo(vae, pixels)
    np.testing.assert_allclose(cost.reconstruction, per_example_elbo(vae, pixels.float() / 255).reconstruction)


def test_a_vae_in_double_precision_is_served_too(vae, images):
    assert embed(vae.double(), images).mu.dtype == np.float32
    assert decode(vae, np.zeros((1, 3))).dtype == np.float32


def test_a_vae_in_training_mode_is_refused(vae, images):
    vae.train()
    for call in (
        lambda: embed(vae, images),
        lambda: decode(vae, np.zeros((1, 3))),
        lambda: per_example_elbo(vae, images),
    ):
        with pytest.raises(ValueError, match="training mode"):
            call()


def test_a_batch_needs_an_example(vae, images):
    with pytest.raises(ValueError, match="batch_size=0"):
        embed(vae, images, batch_size=0)


def test_codes_of_the_wrong_dimension_are_refused(vae):
    with pytest.raises(ValueError, match=r"codes have shape \(1, 2\); expected \(B, 3\)"):
        decode(vae, np.zeros((1, 2)))


def test_one_code_is_decoded_within_a_mouse_move():
    model, z = DenseVAE((1, 28, 28)).eval(), np.zeros((1, 2))
    decode(model, z)

    def seconds():
        start = time.perf_counter()
        decode(model, z)
        return time.perf_counter() - start

    assert statistics.median(seconds() for _ in range(50)) < 0.005  # some 0.3 ms; a busy machine is forgiven


@pytest.mark.gpu
def test_a_vae_on_the_gpu_gives_the_same(vae, images):
    here, cost = embed(vae, images), per_example_elbo(vae, images)
    there = vae.cuda()
    np.testing.assert_allclose(embed(there, images).mu, here.mu, atol=1e-3)
    np.testing.assert_allclose(per_example_elbo(there, images.cuda()).reconstruction, cost.reconstruction, rtol=1e-3)
    assert decode(there, here.mu).shape == (10, 1, 4, 6)
