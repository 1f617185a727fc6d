import itertools
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mc.models import cnn, cnn_bn, mlp

MNIST = (28, 28, 1)
CONV = 320 + 18496 + 36928  # 9*1*32 + 32, 9*32*64 + 64, 9*64*64 + 64


def kinds(network):
    return [type(layer).__name__ for layer in network.layers[1:]]


def test_cnn_layers_are_those_of_the_course_project():
    conv, pool, dense = ["Conv2D"], ["MaxPooling2D"], ["Dense"]
    expected = conv + pool + conv + pool + conv + ["Flatten"] + dense * 3
    assert kinds(cnn(MNIST, 10)) == expected


def test_cnn_bn_normalises_every_hidden_layer_before_pooling():
    conv, dense = ["Conv2D", "BatchNormalization"], ["Dense", "BatchNormalization"]
    pooled = [*conv, "MaxPooling2D"]
    assert kinds(cnn_bn(MNIST, 10)) == pooled * 2 + conv + ["Flatten"] + dense * 2 + ["Dense"]


@pytest.mark.parametrize("batch_norm", [False, True])
def test_only_the_third_convolution_and_the_logits_are_linear(batch_norm):
    network = cnn(MNIST, 10, batch_norm=batch_norm)
    active = {
        layer.name: keras.activations.serialize(layer.activation)
        for layer in network.layers
        if hasattr(layer, "activation")
    }
    relu = ("conv1", "conv2", "dense1", "dense2")
    assert active == {**dict.fromkeys(relu, "relu"), "conv3": "linear", "logits": "linear"}


def test_cnn_filters_and_units():
    network = cnn(MNIST, 10)
    assert [network.get_layer(f"conv{i}").filters for i in (1, 2, 3)] == [32, 64, 64]
    assert {network.get_layer(f"conv{i}").kernel_size for i in (1, 2, 3)} == {(3, 3)}
    assert [network.get_layer(n).units for n in ("dense1", "dense2", "logits")] == [64, 64, 10]


@pytest.mark.parametrize(
    ("padding", "shape", "pixels"),
    [("same", MNIST, 7 * 7), ("valid", MNIST, 3 * 3), ("same", (8, 8, 1), 2 * 2)],
)
def test_cnn_parameters_by_hand(padding, shape, pixels):
    dense = pixels * 64 * 64 + 64 + 64 * 64 + 64 + 64 * 10 + 10
    assert cnn(shape, 10, padding=padding).count_params() == CONV + dense


def test_cnn_bn_adds_four_numbers_a_channel():
    extra = 4 * (32 + 64 + 64 + 64 + 64)
    plain, with_bn = cnn(MNIST, 10), cnn_bn(MNIST, 10)
    assert with_bn.count_params() - plain.count_params() == extra
    assert sum(int(np.prod(v.shape)) for v in with_bn.non_trainable_variables) == extra // 2


@pytest.mark.parametrize("build", [cnn, mlp])
def test_outputs_are_logits_without_regularisers(build):
    network = build((8, 8, 1), 3)
    outputs = network(np.random.default_rng(0).normal(size=(5, 8, 8, 1)))
    assert outputs.shape == (5, 3)
    assert not np.allclose(np.sum(outputs, axis=1), 1)
    assert network.losses == []


def test_outputs_may_be_negative():
    network = cnn((8, 8, 1), 3)
    network.get_layer("logits").bias.assign([-100.0, -100.0, -100.0])
    assert np.all(network(np.ones((1, 8, 8, 1))) < 0)


def test_variable_names_do_not_depend_on_earlier_networks():
    first, second = ([v.path for v in cnn((8, 8, 1), 3).variables] for _ in range(2))
    assert first == second
    assert first[0] == "conv1/kernel"


@pytest.mark.parametrize(("padding", "smallest"), [("same", 4), ("valid", 18)])
def test_cnn_smallest_image(padding, smallest):
    assert cnn((smallest, 30, 1), 2, padding=padding).output_shape == (None, 2)
    for shape in ((smallest - 1, 30, 1), (30, smallest - 1, 1)):
        with pytest.raises(ValueError, match=rf"model\.padding={padding} .*{smallest}x{smallest}"):
            cnn(shape, 2, padding=padding)


def test_cnn_refuses_other_padding():
    with pytest.raises(ValueError, match=r"model\.padding must be same or valid, received 'full'"):
        cnn(MNIST, 10, padding="full")


def test_cnn_refuses_inputs_that_are_no_images():
    with pytest.raises(ValueError, match=r"\(28, 28\).*channel axis"):
        cnn((28, 28), 10)


@settings(max_examples=15, deadline=None)
@given(
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    widths=st.lists(st.integers(1, 5), max_size=3),
    classes=st.none() | st.integers(2, 4),
)
def test_mlp_shapes_and_parameters(shape, widths, classes):
    network = mlp(shape, classes, widths, "tanh")
    sizes = [int(np.prod(shape)), *widths, classes or 1]
    assert network.count_params() == sum(a * b + b for a, b in itertools.pairwise(sizes))
    assert network.output_shape == (None, classes or 1)
    assert kinds(network)[0] == ("Flatten" if len(shape) > 1 else "Dense")


def test_mlp_for_regression_computes_its_formula():
    network = mlp((2,), None, [16], "tanh")
    w1, b1, w2, b2 = (v.numpy() for v in network.variables)
    x = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    np.testing.assert_allclose(network(x), np.tanh(x @ w1 + b1) @ w2 + b2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("widths", [[64, 0], [64, -1], [2.5], ["a"], "64", 64, None])
def test_mlp_refuses_bad_widths(widths):
    with pytest.raises(ValueError, match=r"model\.widths must be a list of whole numbers"):
        mlp((2,), 3, widths, "relu")


def test_mlp_refuses_unknown_activation():
    with pytest.raises(ValueError, match=r"model\.activation .* received 'rleu'"):
        mlp((2,), 3, [4], "rleu")


@pytest.mark.parametrize("option", ["mlp", "cnn", "cnn_bn"])
def test_configured_defaults_build(option):
    import yaml

    path = Path(__file__).parents[1] / "conf" / "model" / f"{option}.yaml"
    settings = yaml.safe_load(path.read_text())
    build = {"mc.models.mlp": mlp, "mc.models.cnn": cnn, "mc.models.cnn_bn": cnn_bn}[
        settings.pop("_target_")
    ]
    network = build(input_shape=(8, 8, 1), num_classes=10, **settings)
    assert network.name == option
