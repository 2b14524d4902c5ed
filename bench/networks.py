"""The networks of bench/specs in PyTorch: build(name) gives the module, SHAPES what one sample is."""
import torch
from torch import nn
from torch.nn import functional

SHAPES = {
    "mlp128": (784,),
    "mlp128_64": (784,),
    "mlp512": (784,),
    "head": (2048,),
    "kcnn": (1, 28, 28),
    "vgg": (3, 32, 32),
    "resnet20": (3, 32, 32),
    "resnet50": (3, 224, 224),
    "mbv1": (3, 224, 224),
    "mbv2": (3, 224, 224),
}


def dense(*sizes, dropout=0.0):
    layers = []
    for inputs, outputs in zip(sizes[:-2], sizes[1:-1]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def kcnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Linear(12 * 12 * 64, 128), nn.ReLU(),
        nn.Dropout(0.5), nn.Linear(128, 10))


def vgg():
    layers, channels = [], 3
    for filters in (32, 64):
        for _ in range(2):
            layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
            channels = filters
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), dense(8 * 8 * 64, 512, 10))


def normalized(inputs, filters, kernel, stride=1, groups=1, activation=None):
    """Convolution without bias, batch normalization and perhaps an activation, as a list."""
    convolution = nn.Conv2d(inputs, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(filters)] + ([activation()] if activation else [])


class Residual(nn.Module):
    """A body and a shortcut, added; `after` is applied to the sum."""

    def __init__(self, body, shortcut=None, after=None):
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = shortcut or nn.Identity()
        self.after = after or nn.Identity()

    def forward(self, x):
        return self.after(self.body(x) + self.shortcut(x))


class EverySecond(nn.Module):
    """ResNet's shortcut without parameters: half the resolution, new channels of zeros at both ends."""

    def __init__(self, widen):
        super().__init__()
        self.widen = widen

    def forward(self, x):
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.widen, self.widen))


def classifier(features, channels, classes):
    return nn.Sequential(*features, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(channels, classes))


def resnet20():
    features, channels = normalized(3, 16, 3, activation=nn.ReLU), 16
    for filters in (16, 32, 64):
        for _ in range(3):
            widen = filters - channels
            body = normalized(channels, filters, 3, 2 if widen else 1, activation=nn.ReLU)
            body += normalized(filters, filters, 3)
            features.append(Residual(body, EverySecond(widen // 2) if widen else None, nn.ReLU()))
            channels = filters
    return classifier(features, channels, 10)


def resnet50():
    features = normalized(3, 64, 7, 2, activation=nn.ReLU) + [nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for filters, blocks, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            step = 1 if block else stride
            body = normalized(channels, filters, 1, activation=nn.ReLU)
            body += normalized(filters, filters, 3, step, activation=nn.ReLU)
            body += normalized(filters, 4 * filters, 1)
            project = None if block else nn.Sequential(*normalized(channels, 4 * filters, 1, step))
            features.append(Residual(body, project, nn.ReLU()))
            channels = 4 * filters
    return classifier(features, channels, 1000)


def depthwise(channels, stride):
    return normalized(channels, channels, 3, stride, channels, nn.ReLU6)


def mbv1():
    features, channels = normalized(3, 32, 3, 2, activation=nn.ReLU6), 32
    widths = [64] + 2 * [128] + 2 * [256] + 6 * [512] + 2 * [1024]
    for filters in widths:
        features += depthwise(channels, 2 if filters > max(channels, 64) else 1)
        features += normalized(channels, filters, 1, activation=nn.ReLU6)
        channels = filters
    return classifier(features, channels, 1000)


def mbv2():
    features, channels = normalized(3, 32, 3, 2, activation=nn.ReLU6), 32
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1))
    for expand, filters, blocks, stride in stages:
        for block in range(blocks):
            wide = expand * channels
            body = normalized(channels, wide, 1, activation=nn.ReLU6) if expand > 1 else []
            body += depthwise(wide, 1 if block else stride) + normalized(wide, filters, 1)
            features.append(Residual(body) if block else nn.Sequential(*body))
            channels = filters
    features += normalized(channels, 1280, 1, activation=nn.ReLU6)
    return classifier(features, 1280, 1000)


NETWORKS = {
    "mlp128": lambda: dense(784, 128, 10, dropout=0.2),
    "mlp128_64": lambda: dense(784, 128, 64, 10),
    "mlp512": lambda: dense(784, 512, 512, 10),
    "head": lambda: dense(2048, 1024, 512, 10),
    "kcnn": kcnn,
    "vgg": vgg,
    "resnet20": resnet20,
    "resnet50": resnet50,
    "mbv1": mbv1,
    "mbv2": mbv2,
}


def build(name):
    torch.manual_seed(1)
    return NETWORKS[name]()
