"""The networks of Garipov et al. 2018: parameter counts of their PyTorch code, and its details."""

import keras
import numpy as np
import pytest

from mc import models

IMAGE = (32, 32, 3)
# Trainable parameters with 10 and with 100 classes, counted by PyTorch in the original code.
COUNTS = {
    "conv_fc": (2_422_634, 2_512_724),
    "vgg16": (15_245_130, 15_291_300),
    "vgg16_bn": (15_253_578, 15_299_748),
    "vgg19": (20_554_826, 20_600_996),
    "vgg19_bn": (20_565_834, 20_612_004),
    "preresnet110": (1_146_842, 1_169_972),
    "preresnet164": (1_703_258, 1_726_388),
    "wrn28_10": (36_489_290, 36_546_980),
}


def parameters(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def layers_of(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_parameters_are_those_of_the_original(name, counts):
    network = getattr(models, name)(IMAGE, 10)
    assert parameters(network) == counts[0]
    last = network.layers[-1]  # all that depends on the number of classes
    assert (last.kernel.shape[1], last.bias.shape) == (10, (10,))
    assert counts[0] + 90 * (last.kernel.shape[0] + 1) == counts[1]


@pytest.mark.parametrize(
    ("build", "momenta"),
    [
        (models.vgg16_bn, {0.9}),
        (lambda *a: models.preresnet(*a, depth=20), {0.9}),
        (lambda *a: models.preresnet(*a, depth=47), {0.9}),
        (lambda *a: models.wide_resnet(*a, depth=10, width=1), {0.9, 0.1}),
    ],
)
def test_batchnorm_has_the_constants_of_pytorch(build, momenta):
    norms = layers_of(build(IMAGE, 10), keras.layers.BatchNormalization)
    assert {n.epsilon for n in norms} == {1e-5}
    assert {n.momentum for n in norms} == momenta
    if 0.1 in momenta:
        assert [n.momentum for n in norms].index(0.1) == len(norms) - 1


def test_vgg_normalises_before_relu_and_drops_before_its_two_dense_layers():
    kinds = [type(layer).__name__ for layer in models.vgg16_bn(IMAGE, 10).layers]
    assert kinds[1:4] == ["Conv2D", "BatchNormalization", "ReLU"]
    assert kinds[-6:] == ["Flatten", "Dropout", "Dense", "Dropout", "Dense", "Dense"]
    assert kinds.count("MaxPooling2D") == 5


def test_residual_blocks_activate_before_they_convolve():
    network = models.preresnet(IMAGE, 10, depth=20)
    for conv in layers_of(network, keras.layers.Conv2D)[1:]:
        source = conv.input._keras_history.operation
        while isinstance(source, keras.layers.ZeroPadding2D):
            source = source.input._keras_history.operation
        shortcut = conv.kernel_size == (1, 1)
        assert isinstance(source, keras.layers.ReLU) is not shortcut


def test_strided_convolutions_see_the_same_pixels_as_pytorch_s():
    # PyTorch pads one pixel on each side; at stride 2 output (0, 0) then sees rows -1, 0 and 1.
    from mc.models.torch_like import conv

    inputs = keras.Input((4, 4, 1))
    network = keras.Model(inputs, conv(inputs, 1, 3, stride=2, bias=False))
    network.layers[-1].set_weights([np.arange(9.0).reshape(3, 3, 1, 1)])
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    padded = np.pad(x[0, :, :, 0], 1)
    kernel = np.arange(9.0).reshape(3, 3)
    expected = [[np.sum(kernel * padded[i : i + 3, j : j + 3]) for j in (0, 2)] for i in (0, 2)]
    np.testing.assert_allclose(network(x)[0, :, :, 0], expected)


def test_initial_weights_have_the_spread_of_the_original():
    keras.utils.set_random_seed(0)
    vgg = models.vgg16(IMAGE, 10)
    conv = layers_of(vgg, keras.layers.Conv2D)[5]
    filters = conv.filters
    assert conv.kernel.numpy().std() == pytest.approx((2 / (9 * filters)) ** 0.5, rel=0.01)
    assert not conv.bias.numpy().any()
    dense = layers_of(vgg, keras.layers.Dense)[0]
    bound = 512**-0.5
    for values in (dense.kernel.numpy(), dense.bias.numpy()):
        assert np.abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / 3**0.5, rel=0.1)
    wide = models.wide_resnet(IMAGE, 10, depth=10, width=1)
    conv = layers_of(wide, keras.layers.Conv2D)[1]
    bound = (9 * 16) ** -0.5
    assert 0.9 * bound < np.abs(conv.kernel.numpy()).max() <= bound


@pytest.mark.parametrize(
    "build",
    [
        models.conv_fc,
        models.vgg16,
        lambda *a: models.preresnet(*a, depth=20),
        pytest.param(lambda *a: models.preresnet(*a, depth=47), marks=pytest.mark.long),
        lambda *a: models.wide_resnet(*a, depth=10, width=2),
    ],
)
def test_a_training_step_gives_finite_gradients(build):
    keras.utils.set_random_seed(0)
    network = build(IMAGE, 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile("sgd", loss, jit_compile=False)  # which takes seconds, and changes nothing
    x = np.random.default_rng(0).normal(size=(4, *IMAGE)).astype("float32")
    before = network.get_weights()
    assert np.isfinite(network.train_on_batch(x, np.arange(4)))
    assert any(not np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))
    assert network(x).shape == (4, 10)


def test_widths_of_preresnet_multiply_all_filters():
    one, three = (models.preresnet(IMAGE, 10, 20, width=width) for width in (1, 3))
    for thin, wide in zip(one.trainable_variables, three.trainable_variables, strict=True):
        factors = {w // t for t, w in zip(thin.shape, wide.shape, strict=True)}
        assert factors <= {1, 3}
        if thin.ndim == 4 and thin.shape[2] != 3:
            assert [w / t for t, w in zip(thin.shape, wide.shape, strict=True)] == [1, 1, 3, 3]


def test_sizes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"model=vgg16 needs images .* multiples of 32"):
        models.vgg16((28, 28, 1), 10)
    with pytest.raises(ValueError, match="at least 15x15"):
        models.conv_fc((8, 8, 1), 10)
    with pytest.raises(ValueError, match="received depth=21"):
        models.preresnet(IMAGE, 10, 21)
    with pytest.raises(ValueError, match="received width=0"):
        models.preresnet(IMAGE, 10, 20, 0)
    with pytest.raises(ValueError, match="received depth=20"):
        models.wide_resnet(IMAGE, 10, 20, 1)
    with pytest.raises(ValueError, match="received width=0"):
        models.wide_resnet(IMAGE, 10, 16, 0)
