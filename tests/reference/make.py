#!/usr/bin/python3
"""Makes the reference vectors: every FOLDER/*.yaml here is a case, computed with PyTorch in double.

A folder is one network with variants. The cases of a folder share the weights and the samples:

    weights.safetensors           parameters, Keras's names and layouts
    x.npy or x-INPUT.npy          samples
    y.npy or y-OUTPUT.npy         targets
    CASE.yaml                     the spec, written by hand
    CASE.safetensors              what is expected: predict/OUTPUT, grad/PARAMETER, grad/INPUT,
                                  grad/loss, and for specs with `data:` train/PARAMETER after STEPS

Layers, losses and optimizers are written down here from Keras 3's documentation, not from netcc.
The same seeds give the same files. Needs python3-torch, python3-yaml; run.sh needs neither.
"""
import json
import pathlib
import struct
import zlib

import numpy as np
import torch
import yaml

HERE = pathlib.Path(__file__).parent
STEPS = 10
ROWS = {"ragged_one": 1, "ragged_five": 5, "ragged_many": 37, "activations": 5, "conv_classes": 3,
        "batch_norm": 5, "rnn_sequences": 3, "rnn_long": 3, "sequence": 3}
TRAINING_ROWS = 10

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


# ---- files ---------------------------------------------------------------------------------------

def write_safetensors(path, tensors):
    header, blob = {}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(np.shape(value)),
                        "data_offsets": [len(blob), len(blob) + len(raw)]}
        blob += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + blob)


# ---- the spec ------------------------------------------------------------------------------------

def number(value):
    """Numbers as netcc reads them: 1e-3 and 1/4 too."""
    if isinstance(value, str):
        top, _, bottom = value.partition("/")
        return float(top) / float(bottom or 1)
    return float(value)


def named(value):
    """A name, or {name: {arguments}}, or {name: number}."""
    if isinstance(value, str):
        return value, {}
    (name, arguments), = value.items()
    return name, arguments


def shape_of(value):
    return tuple(value) if isinstance(value, list) else (value,)


def pair(value):
    return tuple(value) if isinstance(value, list) and len(value) == 2 else (shape_of(value) * 2)[:2]


# ---- activations ---------------------------------------------------------------------------------

def relu(x, negative_slope=0, max_value=None, threshold=0):
    high = x if max_value is None else torch.clamp(x, max=number(max_value))
    threshold = number(threshold)
    return torch.where(x >= threshold, high, number(negative_slope) * (x - threshold))


def gelu(x, approximate=False):
    if approximate:
        return 0.5 * x * (1 + torch.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))
    return 0.5 * x * (1 + torch.erf(x / np.sqrt(2)))


def elu(x, alpha=1):
    return torch.where(x > 0, x, number(alpha) * torch.expm1(torch.clamp(x, max=0)))


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": relu,
    "leaky_relu": lambda x, negative_slope=0.2: torch.where(x > 0, x, negative_slope * x),
    "elu": elu,
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "relu6": lambda x: torch.clamp(x, 0, 6),
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": lambda x: torch.clamp(x + 3, 0, 6) / 6,
    "tanh": torch.tanh,
    "softmax": lambda x: torch.softmax(x, -1),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "softsign": lambda x: x / (1 + torch.abs(x)),
    "gelu": gelu,
    "swish": lambda x: x * torch.sigmoid(x),
    "hard_swish": lambda x: x * torch.clamp(x + 3, 0, 6) / 6,
    "mish": lambda x: x * torch.tanh(torch.logaddexp(x, torch.zeros_like(x))),
    "exponential": torch.exp,
}


def activate(value, x):
    name, arguments = named(value or "linear")
    return ACTIVATIONS[name](x, **arguments)


# ---- layers --------------------------------------------------------------------------------------

MOVING = ("moving_mean", "moving_variance", "mean", "variance")


def first_value(rng, name, shape):
    """Of a size that keeps activations and gradients near 1, away from special values."""
    kind = name.split("/")[1]
    if kind in ("gamma", "moving_variance", "variance"):
        return rng.uniform(0.5, 1.5, shape)
    if kind in ("bias", "beta", "moving_mean"):
        return rng.normal(0, 0.3, shape)
    return rng.normal(0, 1 / np.sqrt(np.prod(shape[:-1])), shape) * 1.2


def torch_rnn(x, state, kernel, recurrent, bias):
    """The last state of PyTorch's own layer."""
    rnn = torch.nn.RNN(*kernel.shape, batch_first=True)
    values = (kernel.T, recurrent.T, bias, torch.zeros_like(bias))
    with torch.no_grad():
        for parameter, value in zip(rnn.parameters(), values):
            parameter.copy_(value)
        return rnn(x, state[None])[1][0]


class Network:
    """What a spec computes. Parameters appear at the first forward pass."""

    def __init__(self, spec, rng):
        self.spec, self.rng, self.parameters = spec, rng, {}
        self.memory = None  # of stateful layers, by name; None: every row starts at zeros
        self.inputs = spec.get("inputs") or {"input": spec["input"]}
        self.layers, numbers, before = [], {}, None
        for entry in spec["layers"]:
            kind, arguments = named(entry)
            if arguments is None:
                arguments = {}
            elif not isinstance(arguments, dict):
                arguments = {FIRST_ARGUMENT[kind]: arguments}
            arguments = dict(arguments)
            name = arguments.pop("name", None)
            if name is None:
                number_of = numbers.get(kind, 0)
                numbers[kind] = number_of + 1
                name = f"{kind}_{number_of}" if number_of else kind
            source = arguments.pop("from", before or next(iter(self.inputs)))
            self.layers.append((kind, name, shape_of(source), arguments))
            before = name
        self.outputs = spec.get("outputs") or [before]

    def parameter(self, name, *shape):
        if name not in self.parameters:
            value = first_value(self.rng, name, shape).astype(np.float32)
            self.parameters[name] = torch.tensor(value.astype(np.float64))
        assert tuple(self.parameters[name].shape) == shape, name
        return self.parameters[name]

    def forward(self, inputs, training):
        """Values by layer name, what went into a layer's activation, and new moving statistics."""
        self.training, self.logits, self.moved = training, {}, {}
        values = dict(inputs)
        for kind, name, sources, arguments in self.layers:
            layer = getattr(self, "layer_" + kind, None)
            x = [values[source] for source in sources]
            if layer is None:
                values[name] = LAYER_ACTIVATIONS[kind](x[0], **arguments)
            else:
                values[name] = layer(name, x if kind in MERGES else x[0], **arguments)
        return values

    def with_bias(self, name, x, use_bias, activation):
        if use_bias:
            x = x + self.parameter(name + "/bias", x.shape[-1])
        return activate(activation, x)

    def layer_dense(self, name, x, units, activation=None, use_bias=True):
        kernel = self.parameter(name + "/kernel", x.shape[-1], units)
        return self.with_bias(name, x @ kernel, use_bias, activation)

    @staticmethod
    def padded(image, size, stride, dilation, value=0.0):
        """NCHW with the padding of 'same': the odd cell at the end."""
        pads = []
        for extent, k, s, d in zip(image.shape[2:], size, stride, dilation):
            total = max((-(-extent // s) - 1) * s + (k - 1) * d + 1 - extent, 0)
            pads = [total // 2, total - total // 2] + pads  # the last axis first
        return torch.nn.functional.pad(image, pads, value=value)

    def convolve(self, x, kernel, strides, padding, dilation_rate, groups):
        """kernel as torch has it: [out, in / groups, height, width]."""
        stride, dilation = pair(strides), pair(dilation_rate)
        image = x.permute(0, 3, 1, 2)
        if padding == "same":
            image = self.padded(image, kernel.shape[2:], stride, dilation)
        y = torch.nn.functional.conv2d(image, kernel, stride=stride, dilation=dilation,
                                       groups=groups)
        return y.permute(0, 2, 3, 1)

    def layer_conv2d(self, name, x, filters, kernel_size, strides=1, padding="valid",
                     dilation_rate=1, groups=1, activation=None, use_bias=True):
        kernel = self.parameter(name + "/kernel", *pair(kernel_size), x.shape[-1] // groups, filters)
        y = self.convolve(x, kernel.permute(3, 2, 0, 1), strides, padding, dilation_rate, groups)
        return self.with_bias(name, y, use_bias, activation)

    def depthwise(self, name, x, kernel_size, strides, padding, depth_multiplier, dilation_rate):
        channels = x.shape[-1]
        kernel = self.parameter(name, *pair(kernel_size), channels, depth_multiplier)
        kernel = kernel.permute(2, 3, 0, 1).reshape(channels * depth_multiplier, 1,
                                                    *pair(kernel_size))
        return self.convolve(x, kernel, strides, padding, dilation_rate, channels)

    def layer_depthwise_conv2d(self, name, x, kernel_size, strides=1, padding="valid",
                               depth_multiplier=1, dilation_rate=1, activation=None, use_bias=True):
        y = self.depthwise(name + "/kernel", x, kernel_size, strides, padding, depth_multiplier,
                           dilation_rate)
        return self.with_bias(name, y, use_bias, activation)

    def layer_separable_conv2d(self, name, x, filters, kernel_size, strides=1, padding="valid",
                               depth_multiplier=1, dilation_rate=1, activation=None, use_bias=True):
        y = self.depthwise(name + "/depthwise_kernel", x, kernel_size, strides, padding,
                           depth_multiplier, dilation_rate)
        point = self.parameter(name + "/pointwise_kernel", 1, 1, y.shape[-1], filters)
        return self.with_bias(name, y @ point[0, 0], use_bias, activation)

    def pooled(self, x, pool_size, strides, padding, value):
        size = pair(pool_size)
        stride = pair(strides) if strides else size
        image = x.permute(0, 3, 1, 2)
        if padding == "same":
            image = self.padded(image, size, stride, (1, 1), value)
        return image, size, stride

    def layer_max_pooling2d(self, name, x, pool_size=2, strides=None, padding="valid"):
        image, size, stride = self.pooled(x, pool_size, strides, padding, -torch.inf)
        return torch.nn.functional.max_pool2d(image, size, stride).permute(0, 2, 3, 1)

    def layer_average_pooling2d(self, name, x, pool_size=2, strides=None, padding="valid"):
        """Padding does not count: the sum over the number of cells that are there."""
        image, size, stride = self.pooled(x, pool_size, strides, padding, 0.0)
        there = self.pooled(torch.ones_like(x), pool_size, strides, padding, 0.0)[0]
        sums = [torch.nn.functional.avg_pool2d(v, size, stride) for v in (image, there)]
        return (sums[0] / sums[1]).permute(0, 2, 3, 1)

    def layer_global_average_pooling2d(self, name, x, keepdims=False):
        return x.mean((1, 2), keepdim=keepdims)

    def layer_global_max_pooling2d(self, name, x, keepdims=False):
        return x.amax((1, 2), keepdim=keepdims)

    def layer_zero_padding2d(self, name, x, padding=1):
        pad = padding if isinstance(padding, list) else [padding] * 2
        top, bottom, left, right = pad if len(pad) == 4 else (pad[0], pad[0], pad[-1], pad[-1])
        return torch.nn.functional.pad(x, (0, 0, left, right, top, bottom))

    def layer_up_sampling2d(self, name, x, size=2):
        rows, columns = pair(size)
        return x.repeat_interleave(rows, 1).repeat_interleave(columns, 2)

    def layer_batch_normalization(self, name, x, momentum=0.99, epsilon=1e-3, center=True,
                                  scale=True):
        channels = x.shape[-1]
        gamma = self.parameter(name + "/gamma", channels) if scale else 1
        beta = self.parameter(name + "/beta", channels) if center else 0
        mean = self.parameter(name + "/moving_mean", channels)
        variance = self.parameter(name + "/moving_variance", channels)
        if self.training:
            now = x.reshape(-1, channels)
            now_mean, now_variance = now.mean(0), now.var(0, unbiased=False)
            keep = number(momentum)
            self.moved[name + "/moving_mean"] = mean * keep + now_mean * (1 - keep)
            self.moved[name + "/moving_variance"] = variance * keep + now_variance * (1 - keep)
            mean, variance = now_mean, now_variance
        return (x - mean) / torch.sqrt(variance + number(epsilon)) * gamma + beta

    def layer_simple_rnn(self, name, x, units, activation="tanh", use_bias=True,
                         return_sequences=False, go_backwards=False, stateful=False):
        kernel = self.parameter(name + "/kernel", x.shape[-1], units)
        recurrent = self.parameter(name + "/recurrent_kernel", units, units)
        bias = self.parameter(name + "/bias", units) if use_bias else 0
        state, states = torch.zeros(x.shape[0], units), []
        if stateful and self.memory is not None:
            state = self.remembered(name, state)
        first = state
        for step in x.flip(1).unbind(1) if go_backwards else x.unbind(1):
            state = activate(activation, step @ kernel + bias + state @ recurrent)
            states.append(state)
        if stateful and self.memory is not None:
            self.memory[name][:len(state)] = state.detach()
            assert torch.allclose(state, torch_rnn(x, first, kernel, recurrent, bias))
        return torch.stack(states, 1) if return_sequences else state

    def remembered(self, name, zeros):
        """What the first rows of the memory hold; it begins at zeros, for the first, largest batch."""
        return self.memory.setdefault(name, zeros)[:len(zeros)].clone()

    def layer_activation(self, name, x, activation):
        return activate(activation, x)

    def layer_rescaling(self, name, x, scale, offset=0):
        return x * number(scale) + number(offset)

    def layer_normalization(self, name, x, invert=False):
        mean = self.parameter(name + "/mean", x.shape[-1])
        variance = self.parameter(name + "/variance", x.shape[-1])
        deviation = torch.clamp(torch.sqrt(variance), min=1e-7)
        return x * deviation + mean if invert else (x - mean) / deviation

    def layer_dropout(self, name, x, rate):
        return x  # off in all that is compared

    def layer_flatten(self, name, x):
        return x.reshape(x.shape[0], -1)

    def layer_reshape(self, name, x, target_shape):
        return x.reshape(x.shape[0], *target_shape)

    def layer_add(self, name, x):
        return sum(x[1:], x[0])

    def layer_subtract(self, name, x):
        return x[0] - x[1]

    def layer_multiply(self, name, x):
        rank = max(v.dim() for v in x)
        product = 1
        for v in x:  # a lower rank gets axes of 1 behind the batch
            product = product * v.reshape(v.shape[:1] + (1,) * (rank - v.dim()) + v.shape[1:])
        return product

    def layer_average(self, name, x):
        return sum(x[1:], x[0]) / len(x)

    def layer_maximum(self, name, x):
        return torch.stack(x).max(0).values

    def layer_minimum(self, name, x):
        return torch.stack(x).min(0).values

    def layer_concatenate(self, name, x, axis=-1):
        return torch.cat(x, axis)


MERGES = ("add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate")
FIRST_ARGUMENT = {"zero_padding2d": "padding", "dense": "units", "simple_rnn": "units", "dropout": "rate",
                  "activation": "activation"}
LAYER_ACTIVATIONS = {"relu": relu, "elu": elu, "softmax": ACTIVATIONS["softmax"],
                     "leaky_relu": lambda x, negative_slope=0.3: torch.where(x > 0, x,
                                                                             negative_slope * x)}


# ---- losses: the mean over rows (and steps) ------------------------------------------------------

def clip(p):
    return torch.clamp(p, 1e-7, 1 - 1e-7)


def cross_entropy(p, t, from_logits):
    if from_logits:
        return -(t * torch.log_softmax(p, -1)).sum(-1).mean()
    return -(t * torch.log(clip(p / p.sum(-1, keepdim=True)))).sum(-1).mean()


def sparse_categorical_crossentropy(p, y, from_logits=False):
    return cross_entropy(p, torch.nn.functional.one_hot(y, p.shape[-1]), from_logits)


def categorical_crossentropy(p, y, from_logits=False, label_smoothing=0):
    return cross_entropy(p, y * (1 - label_smoothing) + label_smoothing / p.shape[-1], from_logits)


def binary_crossentropy(p, y, from_logits=False, label_smoothing=0):
    t = y * (1 - label_smoothing) + 0.5 * label_smoothing
    if from_logits:
        return (torch.clamp(p, min=0) - p * t + torch.log1p(torch.exp(-torch.abs(p)))).mean()
    p = clip(p)
    return -(t * torch.log(p) + (1 - t) * torch.log(1 - p)).mean()


def huber(p, y, delta=1):
    d = torch.abs(p - y)
    return torch.where(d <= delta, 0.5 * d * d, delta * d - 0.5 * delta * delta).mean()


LOSSES = {
    "sparse_categorical_crossentropy": sparse_categorical_crossentropy,
    "categorical_crossentropy": categorical_crossentropy,
    "binary_crossentropy": binary_crossentropy,
    "mse": lambda p, y: ((p - y) ** 2).mean(),
    "mae": lambda p, y: torch.abs(p - y).mean(),
    "huber": huber,
}


def losses_of(spec, outputs):
    """(output, loss, arguments, weight)"""
    train = spec["train"]
    loss = train["loss"]
    by_output = loss if isinstance(loss, dict) and set(loss) <= set(outputs) else {outputs[0]: loss}
    weights = train.get("loss_weights", {})
    return [(output, *named(value), weights.get(output, 1)) for output, value in by_output.items()]


# ---- optimizers: Keras 3's update rules ----------------------------------------------------------

class Optimizer:
    def __init__(self, value):
        name, arguments = named(value)
        if not isinstance(arguments, dict):
            arguments = {"learning_rate": arguments}
        self.rule = getattr(self, name)
        self.arguments = {key: v if isinstance(v, bool) else number(v)
                          for key, v in arguments.items()}
        self.decay = self.arguments.pop("weight_decay", 0.004 if name == "adamw" else 0)
        self.clip = {key: self.arguments.pop(key) for key in list(self.arguments) if "clip" in key}
        self.rate = self.arguments.pop("learning_rate", 0.01 if name == "sgd" else 0.001)
        self.state, self.iteration = {}, 0

    def slot(self, name, like, first=0.0):
        return self.state.setdefault((self.current, name), torch.full_like(like, first))

    def keep(self, name, value):
        self.state[self.current, name] = value
        return value

    def clipped(self, gradients):
        def to_norm(g, norm, limit):
            return g * limit / max(norm, limit)
        if "clipvalue" in self.clip:
            limit = self.clip["clipvalue"]
            return {name: torch.clamp(g, -limit, limit) for name, g in gradients.items()}
        if "clipnorm" in self.clip:
            return {name: to_norm(g, g.norm(), self.clip["clipnorm"])
                    for name, g in gradients.items()}
        if "global_clipnorm" in self.clip:
            norm = torch.sqrt(sum((g ** 2).sum() for g in gradients.values()))
            return {name: to_norm(g, norm, self.clip["global_clipnorm"])
                    for name, g in gradients.items()}
        return gradients

    def step(self, parameters, gradients):
        self.iteration += 1
        for name, g in self.clipped(gradients).items():
            self.current = name
            p = parameters[name] - parameters[name] * self.decay * self.rate
            parameters[name] = p - self.rule(p, g, **self.arguments)

    def sgd(self, p, g, momentum=0, nesterov=False):
        if momentum == 0:
            return self.rate * g
        m = self.keep("m", self.slot("m", p) * momentum - self.rate * g)
        return -(m * momentum - self.rate * g) if nesterov else -m

    def adam(self, p, g, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False):
        t = self.iteration
        m = self.keep("m", self.slot("m", p) * beta_1 + g * (1 - beta_1))
        v = self.keep("v", self.slot("v", p) * beta_2 + g * g * (1 - beta_2))
        if amsgrad:
            v = self.keep("v_hat", torch.maximum(self.slot("v_hat", p), v))
        rate = self.rate * np.sqrt(1 - beta_2 ** t) / (1 - beta_1 ** t)
        return rate * m / (torch.sqrt(v) + epsilon)

    adamw = adam

    def rmsprop(self, p, g, rho=0.9, momentum=0, epsilon=1e-7, centered=False):
        v = self.keep("v", self.slot("v", p) * rho + g * g * (1 - rho))
        if centered:
            mean = self.keep("mean", self.slot("mean", p) * rho + g * (1 - rho))
            v = v - mean * mean
        increment = self.rate * g / torch.sqrt(v + epsilon)
        if momentum > 0:
            increment = self.keep("m", self.slot("m", p) * momentum + increment)
        return increment

    def adagrad(self, p, g, initial_accumulator_value=0.1, epsilon=1e-7):
        total = self.keep("a", self.slot("a", p, initial_accumulator_value) + g * g)
        return self.rate * g / torch.sqrt(total + epsilon)


# ---- cases ---------------------------------------------------------------------------------------

def make_target(rng, loss, output):
    shape = tuple(output.shape)
    if loss == "sparse_categorical_crossentropy":
        return rng.integers(0, shape[-1], shape[:-1]).astype(np.int32)
    if loss == "categorical_crossentropy":
        raw = rng.gamma(0.5, 1, shape) + 1e-3
        return (raw / raw.sum(-1, keepdims=True)).astype(np.float32)
    if loss == "binary_crossentropy":
        return rng.choice([0, 1, 0.25], shape, p=[0.4, 0.4, 0.2]).astype(np.float32)
    return rng.normal(0, 1, shape).astype(np.float32)


def tensor(array):
    return torch.tensor(array.astype(np.int64 if array.dtype == np.int32 else np.float64))


def total_loss(network, values, targets):
    return sum(weight * LOSSES[loss](values[output], targets[output],
                                     **{k: v if isinstance(v, bool) else number(v)
                                        for k, v in arguments.items()})
               for output, loss, arguments, weight in losses_of(network.spec, network.outputs))


def without_noise(value):
    """Sums that are 0 but for rounding, which differs from machine to machine, are 0."""
    return np.where(np.abs(value) < 1e-12, 0, value)


def trainable(network):
    return [name for name in network.parameters if not name.endswith(MOVING)]


def differentiate(network, inputs, targets):
    """The loss, its gradients by parameter and input name."""
    names = trainable(network) + list(inputs)
    inputs = {name: x.clone().requires_grad_() for name, x in inputs.items()}
    before = dict(network.parameters)
    for name in trainable(network):
        network.parameters[name] = before[name].clone().requires_grad_()
    loss = total_loss(network, network.forward(inputs, True), targets)
    wanted = [network.parameters.get(name, inputs.get(name)) for name in names]
    gradients = torch.autograd.grad(loss, wanted)
    network.parameters = before
    return loss.detach(), dict(zip(names, gradients))


def predict(network, inputs):
    """In batches, which matters to stateful layers."""
    batch, rows = network.spec["train"].get("batch_size", 32), len(next(iter(inputs.values())))
    network.memory, parts = {}, []
    for at in range(0, rows, batch):
        values = network.forward({n: x[at:at + batch] for n, x in inputs.items()}, False)
        parts.append({name: values[name] for name in network.outputs})
    return {name: torch.cat([part[name] for part in parts]) for name in network.outputs}


def train(network, inputs, targets):
    options = network.spec["train"]
    optimizer = Optimizer(options.get("optimizer", "adam"))
    batch, rows, at = options["batch_size"], TRAINING_ROWS, 0
    assert options["shuffle"] is False and options["epochs"] * -(-rows // batch) >= STEPS
    for _ in range(STEPS):
        if at == 0:
            network.memory = {}
        part = slice(at, min(at + batch, rows))
        _, gradients = differentiate(network, {n: x[part] for n, x in inputs.items()},
                                     {n: y[part] for n, y in targets.items()})
        moved = {name: value.detach() for name, value in network.moved.items()}
        optimizer.step(network.parameters, {n: gradients[n] for n in trainable(network)})
        network.parameters.update(moved)
        at = part.stop % rows


class Folder:
    """The weights and samples that the cases of a folder share."""

    def __init__(self, path):
        self.path = path
        self.weights = self.inputs = self.targets = None

    def samples(self, network, rng, rows):
        inputs = {name: rng.normal(0, 1, (rows, *shape_of(shape))).astype(np.float32)
                  for name, shape in network.inputs.items()}
        values = network.forward({name: tensor(x) for name, x in inputs.items()}, False)
        kinds = {output: loss for output, loss, _, _ in losses_of(network.spec, network.outputs)}
        targets = {name: make_target(rng, kinds[name], values[name]) for name in sorted(kinds)}
        return inputs, targets

    def write(self, letter, arrays):
        for name, array in arrays.items():
            file = f"{letter}.npy" if len(arrays) == 1 else f"{letter}-{name}.npy"
            np.save(self.path / file, array)

    def make_case(self, spec_path):
        spec = yaml.safe_load(spec_path.read_text())
        rng = np.random.default_rng(zlib.crc32(self.path.name.encode()))
        network = Network(spec, rng)
        training = "data" in spec
        rows = TRAINING_ROWS if training else ROWS.get(self.path.name, 4)
        inputs, targets = self.samples(network, rng, rows)
        weights = {name: value.numpy() for name, value in network.parameters.items()}
        if self.weights is None:
            self.weights, self.inputs, self.targets = weights, inputs, targets
            write_safetensors(self.path / "weights.safetensors", weights)
            self.write("x", inputs)
            self.write("y", targets)
        for mine, shared in ((weights, self.weights), (inputs, self.inputs),
                             (targets, self.targets)):
            assert mine.keys() == shared.keys(), spec_path
            assert all(np.array_equal(mine[k], shared[k]) for k in mine), spec_path
        self.expect(network, spec_path, {n: tensor(x) for n, x in inputs.items()},
                    {n: tensor(y) for n, y in targets.items()}, training)

    def expect(self, network, spec_path, inputs, targets, training):
        values = predict(network, inputs)
        expected = {"predict/" + name: values[name].numpy() for name in network.outputs}
        network.memory = None
        loss, gradients = differentiate(network, inputs, targets)
        expected["grad/loss"] = loss.numpy()
        expected.update({"grad/" + name: g.numpy() for name, g in gradients.items()})
        if training:
            train(network, inputs, targets)
            expected.update({"train/" + n: v.numpy() for n, v in network.parameters.items()})
        write_safetensors(spec_path.with_suffix(".safetensors"),
                          {name: without_noise(value) for name, value in expected.items()})


def main():
    for path in sorted(p for p in HERE.iterdir() if p.is_dir()):
        folder = Folder(path)
        for spec_path in sorted(path.glob("*.yaml")):
            folder.make_case(spec_path)


if __name__ == "__main__":
    main()
