import copy
import math
import re
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.training.small import (
    FOREVER,
    config,
    equal,
    in_step,
    noise,
    of_type,
    raising,
    small_model,
    trained,
    weights,
)
from vaeviz.data import Dataset
from vaeviz.models import VAE, ConvVAE, DenseVAE
from vaeviz.training import (
    Metrics,
    Progress,
    Snapshot,
    SnapshotTaker,
    TrainConfig,
    TrainingDivergedError,
    evaluate,
    evaluation,
    loop,
    train,
)


def rows(events: list, split: str) -> list[Metrics]:
    return [row for row in of_type(Metrics, events) if row.split == split]


def without_seconds(events: list) -> list[Metrics]:
    return [row._replace(seconds=0.0) for row in of_type(Metrics, events)]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def negative_elbo(model: VAE, x, eps, beta: float):
    """Return reconstruction and KL of each example, written out once more by hand."""
    mu, logvar = model.encoder(x).chunk(2, dim=1)
    logits = model.decoder(mu + torch.exp(logvar / 2) * eps)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum((1, 2, 3))
    return reconstruction, 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(1)


def as_floats(images):
    return images.float() / 255 if images.dtype == torch.uint8 else images


# What it is


def test_train_is_a_generator_that_does_nothing_before_it_is_asked(data):
    model = small_model(data)
    before = weights(model)
    assert isinstance(train(model, data, config()), Iterator)
    assert equal(weights(model), before)


def test_training_lowers_the_loss_on_digits(digits):
    model = small_model(digits, hidden=64)
    events = list(train(model, digits, config(epochs=6, batch_size=64, learning_rate=3e-3)))
    validation = rows(events, "validation")
    assert len(validation) == 7
    assert validation[-1].loss < 0.7 * validation[0].loss
    assert rows(events, "train")[-1].loss < 0.7 * validation[0].loss


def test_a_convolutional_model_trains(data):
    model = ConvVAE(data.image_shape, channels=(4, 8), generator=seeded(0))
    validation = rows(list(train(model, data, config(epochs=15, learning_rate=1e-2))), "validation")
    assert validation[-1].loss < validation[0].loss


# Reproducible


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_two_trainings_with_one_seed_are_equal_to_the_bit(data, dropout):
    (one, events), (two, others) = (trained(data, dropout=dropout, seed=3) for _ in range(2))
    assert equal(weights(one), weights(two))
    assert without_seconds(events) == without_seconds(others)


def test_another_seed_gives_another_training(data):
    (one, _), (two, _) = (trained(data, seed=seed) for seed in (0, 1))
    assert not equal(weights(one), weights(two))


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_taking_snapshots_does_not_change_the_training(data, dropout):
    one, events = trained(data, dropout=dropout)
    two = small_model(data, dropout=dropout)
    others = []
    for event in train(two, data, config(), wants_snapshot=lambda step: True):
        others.append(event)
        if isinstance(event, Snapshot):
            assert len(event.mu) == len(data)
    assert len(of_type(Snapshot, others)) == 8 > len(of_type(Snapshot, events))
    assert equal(weights(one), weights(two))
    assert without_seconds(events) == without_seconds(others)


def test_logging_oftener_does_not_change_the_training(data):
    (one, _), (two, _) = (trained(data, log_every=every) for every in (1, 1000))
    assert equal(weights(one), weights(two))


def test_the_global_random_state_is_left_alone(data):
    model = small_model(data, dropout=0.3)
    before = torch.get_rng_state()
    list(train(model, data, config()))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_images_are_left_as_they_are(data):
    for images in (data.images.clone(), (data.images.float() / 255).contiguous()):
        same = Dataset(name="same", images=images, train=data.train, validation=data.validation, test=data.test)
        before = images.clone()
        list(train(small_model(same), same, config(epochs=1)))
        assert torch.equal(images, before)


# The step


@pytest.mark.parametrize("l2", [0.0, 0.1])
@pytest.mark.parametrize("clip", [None, 0.01])
def test_one_step_is_adams_on_the_clipped_gradient_plus_l2_on_weights_only(data, l2, clip):
    model, hand = small_model(data), small_model(data)
    with torch.no_grad():
        for twin in (model, hand):  # biases begin at 0, where a penalty would not show
            for layer in twin.modules():
                if isinstance(layer, nn.Linear):
                    layer.bias.uniform_(0.5, 1.0, generator=seeded(5))
    before = weights(model)
    list(train(model, data, config(steps=1, l2=l2, clip=clip, beta=2.0, learning_rate=0.01, seed=4)))

    batch = data.train[torch.randperm(len(data.train), generator=seeded(4))][:16]
    reconstruction, kl = negative_elbo(hand, as_floats(data.images[batch]), torch.randn(16, 2, generator=seeded(4)), 2)
    (reconstruction + 2.0 * kl).mean().backward()
    for name, parameter in hand.named_parameters():
        gradient = parameter.grad if clip is None else parameter.grad.clamp(-clip, clip)
        if name.endswith("weight"):
            gradient = gradient + l2 * before[name]
        # the first step of Adam: both moments, bias corrected, are the gradient itself
        expected = before[name] - 0.01 * gradient / (gradient.abs() + 1e-8)
        sure = gradient.abs() > 1e-5  # where rounding does not decide the sign
        assert sure.float().mean() > 0.9
        torch.testing.assert_close(weights(model)[name][sure], expected[sure], rtol=1e-4, atol=1e-5)


def gradient_of_one_step(data: Dataset, clip: float | None) -> torch.Tensor:
    model = small_model(data)
    gradients = []
    look = lambda *_: gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))  # noqa: E731 one look
    list(train(model, data, config(steps=1, clip=clip), take=look))
    return gradients[0]


def test_every_element_of_the_gradient_is_clipped_on_its_own(data):
    whole = gradient_of_one_step(data, None)
    assert 0.02 < whole.abs().max() < 5
    assert torch.equal(gradient_of_one_step(data, 0.02), whole.clamp(-0.02, 0.02))


def test_a_gradient_within_the_clip_is_left_alone(data):
    assert torch.equal(gradient_of_one_step(data, 5.0), gradient_of_one_step(data, None))


def hand_training(model: VAE, data: Dataset, epochs: int, seed: int) -> None:
    """Train as PyTorch's tutorials would."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    shuffler, noise = seeded(seed), seeded(seed)
    for _ in range(epochs):
        order = data.train[torch.randperm(len(data.train), generator=shuffler)]
        for begin in range(0, len(order), 16):
            x = as_floats(data.images[order[begin : begin + 16]])
            reconstruction, kl = negative_elbo(model, x, torch.randn(len(x), 2, generator=noise), 1.0)
            optimizer.zero_grad()
            (reconstruction + kl).mean().backward()
            torch.nn.utils.clip_grad_value_(model.parameters(), 5.0)
            optimizer.step()


@pytest.mark.parametrize("epochs", [1, 3])
def test_training_gives_the_weights_of_a_plain_loop_by_hand(data, epochs):
    hand = small_model(data)
    hand_training(hand, data, epochs, seed=2)
    model, _ = trained(data, epochs=epochs, seed=2)
    for name, value in weights(model).items():
        torch.testing.assert_close(value, weights(hand)[name], rtol=1e-4, atol=1e-5)


def test_frozen_parameters_are_not_trained(data):
    model = small_model(data)
    model.encoder.requires_grad_(False)
    before = weights(model)
    list(train(model, data, config()))
    after = weights(model)
    assert all(torch.equal(before[name], after[name]) == name.startswith("encoder") for name in before)


def test_a_model_without_biases_trains(data):
    model = VAE(
        nn.Sequential(nn.Flatten(), nn.Linear(20, 4, bias=False)),
        nn.Sequential(nn.Linear(2, 20, bias=False), nn.Unflatten(1, (1, 4, 5))),
        2,
    )
    assert of_type(Progress, list(train(model, data, config())))[-1].step == 8


# How long, and how fast


def test_steps_take_the_place_of_epochs(data):
    events = trained(data, steps=6, epochs=50)[1]
    assert of_type(Progress, events)[-1] == Progress(6, 1.5, 50 + 32)


def test_progress_counts_steps_epochs_and_examples_with_the_partial_batch(data):
    progress = of_type(Progress, trained(data, epochs=2)[1])
    assert [each.step for each in progress] == list(range(1, 9))
    assert [each.epoch for each in progress] == [step / 4 for step in range(1, 9)]
    assert [each.examples for each in progress] == [16, 32, 48, 50, 66, 82, 98, 100]


def test_every_example_is_seen_once_an_epoch(data):
    seen = []
    model = small_model(data)
    in_step(model.encoder[0], 1, lambda pixels: seen.append(pixels.clone()), later=True)
    list(train(model, data, config(epochs=1)))
    expected = as_floats(data.images[data.train]).flatten(1)
    assert sorted(torch.cat(seen).tolist()) == sorted(expected.tolist())


@pytest.fixture
def learning_rates(monkeypatch):
    """Return the learning rate of every step of a training."""

    def of(data: Dataset, **changes: object) -> list[float]:
        made, make = [], loop._optimizer
        monkeypatch.setattr(loop, "_optimizer", lambda *arguments: made.append(make(*arguments)) or made[-1])
        rates = []
        model = small_model(data)
        in_step(model.decoder, 1, lambda _: rates.append(made[-1][0].param_groups[0]["lr"]), later=True)
        list(train(model, data, config(**changes)))
        return rates

    return of


def test_the_learning_rate_is_constant_unless_asked_otherwise(data, learning_rates):
    assert set(learning_rates(data, learning_rate=0.003)) == {0.003}


def test_one_cycle_goes_up_to_the_learning_rate_and_down_to_almost_nothing(data, learning_rates):
    rates = learning_rates(data, schedule="one-cycle", steps=40, learning_rate=0.01)
    peak = int(np.argmax(rates))
    assert len(rates) == 40
    assert rates[peak] == pytest.approx(0.01)
    assert rates[0] == pytest.approx(0.01 / 25)
    assert rates[-1] < 1e-5 * rates[peak]
    assert 0.2 < peak / 40 < 0.4
    assert all(a < b for a, b in pairwise(rates[: peak + 1]))
    assert all(a > b for a, b in pairwise(rates[peak:]))


@pytest.mark.parametrize("steps", [1, 2, 3, 10])
def test_one_cycle_works_however_few_the_steps(data, learning_rates, steps):
    rates = learning_rates(data, schedule="one-cycle", steps=steps)
    assert len(rates) == steps
    assert all(0 < rate <= 1e-3 for rate in rates)


def test_bf16_computes_in_bf16_and_is_close_to_float32(data):
    half, full = small_model(data), small_model(data)
    kinds = set()
    in_step(half.decoder, 1, lambda logits: kinds.add(logits.dtype), later=True)
    some, others = (
        list(train(model, data, config(precision=precision, epochs=5)))
        for model, precision in ((half, "bf16"), (full, "float32"))
    )
    assert kinds == {torch.bfloat16}
    assert all(p.dtype == torch.float32 for p in half.parameters())
    assert not equal(weights(half), weights(full))
    assert rows(some, "validation")[-1].loss == pytest.approx(rows(others, "validation")[-1].loss, rel=0.02)


# Metrics


def test_train_rows_are_means_over_the_examples_since_the_row_before(data):
    steps = rows(trained(data, epochs=2, log_every=1)[1], "train")
    sizes = [16, 16, 16, 2] * 2
    assert [row.step for row in steps] == list(range(1, 9))
    for every in (2, 3, 4, 5, 100):
        logged = rows(trained(data, epochs=2, log_every=every)[1], "train")
        ends = [step for step in range(1, 9) if step % every == 0 or step == 8]
        assert [row.step for row in logged] == ends
        for begin, end, row in zip([0, *ends], ends, logged, strict=False):
            for field in ("loss", "reconstruction", "kl"):
                values = [getattr(each, field) for each in steps[begin:end]]
                assert getattr(row, field) == pytest.approx(np.average(values, weights=sizes[begin:end]), rel=1e-6)


def test_the_loss_of_a_row_is_reconstruction_plus_beta_times_kl(data):
    for row in of_type(Metrics, trained(data, beta=4.0)[1]):
        assert row.loss == pytest.approx(row.reconstruction + 4 * row.kl, rel=1e-5)


def test_validation_rows_come_before_the_first_step_and_after_each_epoch(data):
    events = trained(data, epochs=3)[1]
    assert isinstance(events[0], Metrics)
    assert [(row.step, row.epoch) for row in rows(events, "validation")] == [(0, 0), (4, 1), (8, 2), (12, 3)]


def test_a_validation_row_is_what_evaluate_gives(data):
    model = small_model(data, dropout=0.3)
    before = evaluate(model, data, "validation", config())
    events = list(train(model, data, config()))
    after = evaluate(model, data, "validation", config(), step=8, epoch=2.0)
    validation = [row for row in without_seconds(events) if row.split == "validation"]
    assert validation[0] == before._replace(seconds=0.0)
    assert validation[-1] == after._replace(seconds=0.0)


def test_without_a_validation_split_there_are_only_train_rows():
    data = noise(validation=0)
    assert {row.split for row in of_type(Metrics, trained(data)[1])} == {"train"}


def test_evaluate_is_the_mean_over_the_whole_split_in_eval_mode(digits):
    model = small_model(digits, dropout=0.5)
    row = evaluate(model.train(), digits, "test", config(beta=3.0, seed=8), step=5, epoch=1.5)
    with torch.no_grad():
        x = as_floats(digits.images[digits.test])
        reconstruction, kl = negative_elbo(model.eval(), x, torch.randn(len(x), 2, generator=seeded(9)), 3.0)
    assert (row.step, row.epoch, row.split) == (5, 1.5, "test")
    assert row.reconstruction == pytest.approx(float(reconstruction.mean()), rel=1e-5)
    assert row.kl == pytest.approx(float(kl.mean()), rel=1e-5)
    assert row.loss == pytest.approx(float((reconstruction + 3 * kl).mean()), rel=1e-5)


@pytest.mark.parametrize("size", [32, 64, 160])  # torch draws the same noise in parts of 16 numbers or more
def test_evaluate_does_not_depend_on_how_the_split_is_cut_into_batches(digits, monkeypatch, size):
    model = small_model(digits)
    whole = evaluate(model, digits, "validation", config())
    monkeypatch.setattr(evaluation, "EVALUATION_BATCH", size)
    parts = evaluate(model, digits, "validation", config())
    assert parts[3:6] == pytest.approx(whole[3:6], rel=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_evaluate_leaves_the_model_in_the_mode_it_was_in(data, training):
    model = small_model(data).train(training)
    evaluate(model, data, "validation", config())
    assert model.training is training


def test_evaluating_an_empty_split_is_refused_in_words():
    data = noise(test=0)
    with pytest.raises(ValueError, match=r"^split='test': noise has no test examples"):
        evaluate(small_model(data), data, "test", config())


# What is yielded, and when


def test_progress_is_the_last_thing_of_its_step(data):
    for wants in (None, lambda step: True):
        done = 0
        for event in train(small_model(data), data, config(log_every=2), wants_snapshot=wants):
            assert event.step == (done + 1 if done or not isinstance(event, Metrics) or event.step else 0)
            done = event.step if isinstance(event, Progress) else done
        assert done == 8


def test_the_last_step_yields_metrics_of_both_splits_and_a_snapshot(data):
    events = [event for event in trained(data, steps=7, log_every=100)[1] if event.step == 7]
    assert [(type(event).__name__, getattr(event, "split", None)) for event in events] == [
        ("Metrics", "train"),
        ("Metrics", "validation"),
        ("Snapshot", None),
        ("Progress", None),
    ]


def test_snapshots_are_of_the_kept_steps_and_the_last(data):
    assert [snapshot.step for snapshot in of_type(Snapshot, trained(data, steps=30)[1])] == [
        *(1, 2, 3, 4, 6, 8, 11, 16, 23, 30)
    ]


def test_a_wanted_snapshot_is_of_the_step_asked_about(data):
    asked = []
    events = list(
        train(small_model(data), data, config(steps=12), wants_snapshot=lambda step: asked.append(step) or step == 7)
    )
    assert [snapshot.step for snapshot in of_type(Snapshot, events)] == [1, 2, 3, 4, 6, 7, 8, 11, 12]
    assert asked == [5, 7, 9, 10]


def test_the_last_snapshot_is_of_the_trained_model(data):
    model, events = trained(data)
    assert equal(weights(of_type(Snapshot, events)[-1].vae), weights(model))


def test_take_makes_the_snapshots(data):
    model = small_model(data)
    taken = SnapshotTaker(model, data, config()).take(model, 0, 0.0)
    events = list(train(model, data, config(), take=lambda *_: taken))
    assert all(event is taken for event in of_type(Snapshot, events))


# What is refused, and what fails


def refused(model: VAE, data: Dataset, settings: TrainConfig, message: str) -> None:
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        next(iter(train(model, data, settings)))
    assert equal(weights(model), before)


def test_a_batch_larger_than_the_data_is_refused_in_words(data):
    refused(small_model(data), data, config(batch_size=51), "^batch_size=51: noise has only 50 training examples; take")


def test_a_batch_of_all_the_data_is_taken(data):
    assert of_type(Progress, trained(data, batch_size=50, epochs=3)[1])[-1].step == 3


def test_a_model_that_does_not_fit_is_refused_in_words(data):
    fit = r"^the model does not fit images of shape \(1, 4, 5\) \(C, H, W\): "
    refused(DenseVAE((1, 8, 8), (4,)), data, config(), fit)
    refused(DenseVAE((3, 4, 5), (4,)), data, config(), fit)


def test_a_model_with_nothing_to_train_is_refused_in_words(data):
    refused(small_model(data).requires_grad_(False), data, config(), "^the model has no parameters to train")


def test_an_unknown_device_is_refused_in_words(data):
    refused(small_model(data), data, config(device="abacus"), "^device='abacus': must be")


def diverged(model: VAE, data: Dataset, **changes: object) -> tuple[str, list]:
    events = []
    with pytest.raises(TrainingDivergedError) as caught:
        events.extend(train(model, data, config(**changes)))  # keeps what came before the error
    return str(caught.value), events


def all_finite(events: list) -> bool:
    return all(
        bool(torch.isfinite(value).all()) for each in of_type(Snapshot, events) for value in weights(each.vae).values()
    )


def test_a_loss_that_is_nan_ends_the_training_with_step_and_term(data):
    model = small_model(data)
    in_step(model.decoder, 5, lambda logits: logits * math.nan)
    message, events = diverged(model, data, log_every=1)
    assert re.match("the reconstruction is nan at step 5: try a smaller learning rate", message)
    assert [snapshot.step for snapshot in of_type(Snapshot, events)] == [1, 2, 3, 4]
    assert all_finite(events)


def test_a_kl_that_is_infinite_is_named(data):
    model = small_model(data)
    in_step(model.encoder, 3, lambda code: code * 0 + torch.tensor([0.0, 0.0, 100.0, 100.0]))
    message, events = diverged(model, data, log_every=1)
    assert message.startswith("the KL is inf at step 3: ")
    assert all_finite(events)


def test_a_weight_that_is_nan_ends_the_training_before_a_snapshot_of_it_is_taken(data):
    model = small_model(data)
    in_step(model.decoder, 5, lambda logits: logits * math.nan)
    message, events = diverged(model, data, log_every=1000, steps=FOREVER, batch_size=5)
    assert re.match(r"the weight encoder\.\d\.\w+ is no longer finite at step 6: ", message)
    assert of_type(Progress, events)[-1].step == 5
    assert all_finite(events)


def test_a_validation_loss_that_is_nan_ends_the_training(data):
    model = small_model(data)
    with torch.no_grad():
        model.decoder[-2].bias.fill_(math.nan)
    assert diverged(model, data)[0].startswith("the reconstruction is nan at step 0: ")


def test_an_error_of_the_model_comes_out_as_it_is(data):
    model = small_model(data)
    in_step(model.decoder, 3, raising(KeyError("mine")))
    with pytest.raises(KeyError, match="mine"):
        list(train(model, data, config()))


def test_a_model_that_was_trained_can_be_copied_and_trained_on(data):
    model, _ = trained(data, dropout=0.3)
    twin = copy.deepcopy(model)
    before = weights(model)
    list(train(twin, data, config()))
    assert equal(weights(model), before)
    assert not equal(weights(twin), before)


@pytest.mark.gpu
def test_training_on_cuda_lowers_the_loss_and_its_snapshots_are_on_the_cpu(digits):
    model = small_model(digits, hidden=64, dropout=0.1)
    events = list(train(model, digits, config(device="cuda", epochs=6, batch_size=64, learning_rate=3e-3)))
    validation = rows(events, "validation")
    assert validation[-1].loss < 0.8 * validation[0].loss
    assert next(model.parameters()).device.type == "cuda"
    assert all(p.device.type == "cpu" for each in of_type(Snapshot, events) for p in each.vae.parameters())


@pytest.mark.gpu
def test_bf16_on_cuda_is_close_to_float32(digits):
    losses = [
        rows(list(train(small_model(digits), digits, config(device="cuda", precision=precision))), "validation")[
            -1
        ].loss
        for precision in ("bf16", "float32")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
