"""Files for bench/transfer.py: `weight_files.py WEIGHTS.safetensors FOLDER` writes the same network's
weights as PyTorch has them, and a dense network of 100 MB as Keras 3 does."""
import json
import os
import struct
import sys
import zipfile

import h5py
import numpy
import torch

UNITS = [1024, 4096, 4096, 1000]
SUFFIXES = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
            "moving_variance": "running_var"}


def tensors_of(path):
    with open(path, "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    for name, about in head.items():
        if name != "__metadata__":
            begin, end = about["data_offsets"]
            yield name, numpy.frombuffer(data[begin:end], "<f4").reshape(about["shape"])


def write_torch(weights, path):
    state = {}
    for name, values in tensors_of(weights):
        layer, what = name.split("/")
        if what == "kernel":
            values = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
        state[f"{layer}.{SUFFIXES.get(what, what)}"] = torch.from_numpy(values.copy())
    torch.save(state, path)


def layer_name(i):
    return f"dense_{i}" if i else "dense"


def architecture():
    def layer(kind, config):
        return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}

    layers = [layer("InputLayer", {"batch_shape": [None, UNITS[0]], "dtype": "float32", "name": "x"})]
    for i, units in enumerate(UNITS[1:]):
        layers.append(layer("Dense", {"name": layer_name(i), "units": units, "activation": "relu",
                                      "use_bias": True, "dtype": "float32", "trainable": True}))
    return json.dumps({"module": "keras", "class_name": "Sequential", "registered_name": "Sequential",
                       "config": {"name": "dense", "trainable": True, "layers": layers}})


def dense_weights():
    dice = numpy.random.default_rng(1)
    for i, (inputs, units) in enumerate(zip(UNITS, UNITS[1:])):
        kernel = dice.standard_normal((inputs, units), dtype="f4") / inputs**0.5
        yield layer_name(i), kernel, numpy.zeros(units, "f4")


def write_h5(path):
    with h5py.File(path, "w") as f:
        f.attrs["keras_version"], f.attrs["backend"] = "3.4.1", "tensorflow"
        f.attrs["model_config"] = architecture()
        group, names = f.create_group("model_weights"), []
        for name, kernel, bias in dense_weights():
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/kernel".encode(), f"{name}/bias".encode()]
            layer[f"{name}/kernel"], layer[f"{name}/bias"] = kernel, bias
            names.append(name.encode())
        group.attrs["layer_names"] = names


def write_keras(path):
    inner = path + ".h5"
    with h5py.File(inner, "w") as f:
        for name, kernel, bias in dense_weights():
            variables = f.create_group(f"layers/{name}/vars")
            variables["0"], variables["1"] = kernel, bias
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.4.1"}))
        archive.writestr("config.json", architecture())
        archive.write(inner, "model.weights.h5")
    os.remove(inner)


if __name__ == "__main__":
    source, folder = sys.argv[1:]
    write_torch(source, os.path.join(folder, "resnet50.pt"))
    write_h5(os.path.join(folder, "dense.h5"))
    write_keras(os.path.join(folder, "dense.keras"))
