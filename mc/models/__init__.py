"""Plain Keras models that output logits, without regularisers."""

from mc.models.cnn import cnn, cnn_bn
from mc.models.conv_fc import conv_fc
from mc.models.gpt import gpt
from mc.models.mlp import mlp
from mc.models.preresnet import preresnet, preresnet110, preresnet164
from mc.models.vgg import vgg16, vgg16_bn, vgg19, vgg19_bn
from mc.models.vit import vit
from mc.models.wide_resnet import wide_resnet, wrn28_10

__all__ = [
    "cnn",
    "cnn_bn",
    "conv_fc",
    "gpt",
    "mlp",
    "preresnet",
    "preresnet110",
    "preresnet164",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vit",
    "wide_resnet",
    "wrn28_10",
]
