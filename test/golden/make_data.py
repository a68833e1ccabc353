"""Golden numbers for src/data and src/files: what NumPy, scikit-learn and safetensors give. Writes data.json.

    pip install numpy scikit-learn safetensors && python test/golden/make_data.py

Written by NumPy 2.4.6, scikit-learn 1.9.1 and safetensors 0.8.0 on Linux x86-64 (glibc 2.36).
Numbers are written so that reading them gives each float64 again, bit for bit; points as float32. `npm run format`
then puts the file into its lines.
"""

import base64
import json
from decimal import Decimal, getcontext
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from sklearn.datasets import make_blobs, make_circles, make_moons

SEEDS = [0, 1, 42, 2**31, 2**32 - 1]


def draws(seed):
    """One stream through every method, so that what a draw leaves behind is held too."""
    r = np.random.RandomState(seed)
    return {
        "seed": seed,
        "rand": r.rand(6).tolist(),
        "randn": r.randn(5).tolist(),  # odd: one waits
        "normal": r.normal(-2.5, 0.1, size=4).tolist(),
        "uniform": r.uniform(-3.0, 7.0, size=5).tolist(),
        "permutation": r.permutation(33).tolist(),
        "randint": r.randint(-5, 12, size=20).tolist(),
        "randintWide": r.randint(-(2**31), 2**31, size=4).tolist(),
        "randintOne": r.randint(9, 10, size=3).tolist(),
        "shuffle": shuffled(r, np.arange(20) * 0.5),
        "permutationOfNone": r.permutation(0).tolist(),
        "permutationOfOne": r.permutation(1).tolist(),
        "randnAfter": r.randn(2).tolist(),
        "randAfter100000": r.rand(100000)[-2:].tolist(),
    }


def shuffled(r, values):
    r.shuffle(values)
    return values.tolist()


def points(x, y, **options):
    return {"options": options, "x": x.astype(np.float32).ravel().tolist(), "y": y.tolist()}


def moons(n, seed, noise=None):
    x, y = make_moons(n, noise=noise, random_state=seed)
    return points(x, y, n=n, seed=seed, **({} if noise is None else {"noise": noise}))


def circles(n, seed, noise=None, factor=None):
    given = {} if factor is None else {"factor": factor}
    x, y = make_circles(n, noise=noise, random_state=seed, **given)
    return points(x, y, n=n, seed=seed, **given, **({} if noise is None else {"noise": noise}))


def blobs(n, seed, noise, classes):
    x, y = make_blobs(n, centers=classes, cluster_std=noise, random_state=seed)
    return points(x, y, n=n, seed=seed, noise=noise, classes=classes)


def logs():
    """x and log x correctly rounded, through 40 decimal digits; the last twenty are hard, next to halfway cases."""
    getcontext().prec = 40
    r = np.random.RandomState(7)
    x = [0.5, 2.0, 0.1, 2.0**-104, 1 - 2.0**-53, 1 + 2.0**-52, 2.0**-0.5, 1e-300, 1e300, *r.rand(99), *r.uniform(0.98, 1.02, 30)]
    x += sorted(r.uniform(0.7072, 0.76, 60000), key=from_halfway)[:20]
    return [[float(v), float(Decimal(float(v)).ln())] for v in x]


def from_halfway(x):
    """How far log x is from the middle between two float64, in units of the last place."""
    exact = Decimal(float(x)).ln()
    near = float(exact)
    return abs(abs((exact - Decimal(near)) / Decimal(float(np.spacing(abs(near))))) - Decimal("0.5"))


def written():
    """The bytes that safetensors itself writes."""
    tensors = {
        "b": np.arange(6, dtype=np.float32).reshape(2, 3) / 8,
        "a": np.array([[-1], [2**31 - 1]], dtype=np.int32),
        "é": np.array(np.pi),
        "10": np.zeros((0, 4), dtype=np.float32),
        "9": np.array([1e300], dtype=np.float64),
        "\U0001f600": np.array([1], dtype=np.float32),
        "\ufb01": np.array([2], dtype=np.float32),
        'quote " \\ \n \x01': np.array([3], dtype=np.float32),
    }
    return base64.b64encode(safetensors.numpy.save(tensors, {"format": "pt\u2028\t"})).decode()


def every_dtype():
    """Each stored dtype that NumPy has, with the numbers it holds."""
    half = np.array([0, -0.0, 1, -2.5, 65504, 2.0**-24, 2.0**-14, 0.1, np.inf, -np.inf], dtype=np.float16)
    tensors = {
        "F64": np.array([np.pi, -1e-310, 1e308]),
        "F32": np.array([np.pi, -1e-40, 3e38], dtype=np.float32),
        "F16": half,
        "I64": np.array([2**53, -(2**53), -1]),
        "I32": np.array([2**31 - 1, -(2**31)], dtype=np.int32),
        "I16": np.array([32767, -32768, 5], dtype=np.int16),
        "I8": np.array([127, -128, 5], dtype=np.int8),
        "U64": np.array([2**53, 2**63], dtype=np.uint64),
        "U32": np.array([2**32 - 1, 7], dtype=np.uint32),
        "U16": np.array([65535, 7], dtype=np.uint16),
        "U8": np.array([255, 7, 9], dtype=np.uint8),
        "BOOL": np.array([True, False, True]),
    }
    bits = np.array([0x3F80, 0xC020, 0x7F7F, 0x0001, 0xFF80], dtype=np.uint16)
    stored = {name: (str(a.dtype), a) for name, a in tensors.items()} | {"BF16": ("bfloat16", bits)}
    file = {
        name: safetensors.TensorSpec(dtype=dtype, shape=a.shape, data_ptr=a.ctypes.data, data_len=a.nbytes)
        for name, (dtype, a) in stored.items()
    }
    values = {name: [repr(float(v)) for v in a] for name, a in tensors.items()}
    values["BF16"] = [repr(float(v)) for v in (bits.astype(np.uint32) << 16).view(np.float32)]
    return {"file": base64.b64encode(safetensors.serialize(file)).decode(), "values": values}


golden = {
    "random": [draws(seed) for seed in SEEDS],
    "randn1000": np.random.RandomState(12345).randn(1000).tolist(),
    "log": logs(),
    "moons": [moons(200, 0, 0.2), moons(7, 3), moons(1, 5), moons(2, 5), moons(13, 2**32 - 1, 0.0), moons(31, 9, 0.05)],
    "circles": [circles(40, 1, 0.1, 0.3), circles(7, 3), circles(1, 5), circles(2, 5), circles(9, 8, 0.05, 0)],
    "blobs": [blobs(31, 4, 1.0, 3), blobs(8, 2, 0.25, 5), blobs(5, 2, 0.0, 1)],
    "safetensors": {"written": written(), "everyDtype": every_dtype()},
}
text = "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items()) + "\n}\n"
Path(__file__).with_name("data.json").write_text(text)
