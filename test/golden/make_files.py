"""Golden files for src/files: what NumPy, Python's zipfile and gzip write. Writes files.json, each file in base64.

    pip install numpy && python test/golden/make_files.py

Written by NumPy 2.4.6 on Linux x86-64. Values beside a file are what NumPy reads in it, row-major, as text that gives
each float64 again. `npm run format` then puts the file into its lines.
"""

import base64
import gzip
import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np


def text(data):
    return base64.b64encode(data).decode()


def npy(array, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    return file.getvalue()


def case(array, version=None):
    file = npy(array, version)
    again = np.load(io.BytesIO(file))
    return {
        "file": text(file),
        "dtype": again.dtype.str,
        "shape": list(again.shape),
        "values": [repr(int(v) if v is True or v is False else v) for v in again.ravel().tolist()],
    }


def numbers():
    """Each dtype that is read, in both byte orders, with its edges."""
    half = [0, -0.0, 1, -2.5, 65504, 2.0**-24, 2.0**-14, 0.1, np.inf, -np.inf]
    kinds = {
        "f8": [np.pi, -1e-310, 1e308, -0.0, np.inf],
        "f4": [np.pi, -1e-40, 3e38, -np.inf],
        "f2": half,
        "i8": [2**53, -(2**53), -1],
        "i4": [2**31 - 1, -(2**31), 5],
        "i2": [32767, -32768, 5],
        "i1": [127, -128, 5],
        "u8": [2**53, 2**63, 0],
        "u4": [2**32 - 1, 7, 0],
        "u2": [65535, 7, 0],
        "u1": [255, 7, 0],
    }
    cases = [case(np.array(values, dtype=order + kind)) for kind, values in kinds.items() for order in "<>"]
    return [*cases, case(np.array([True, False, True]))]


def layouts():
    """Shapes and orders, and each version of the format."""
    cube = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return [
        case(np.float64(np.e)),
        case(np.zeros((0,), dtype=np.float32)),
        case(np.zeros((3, 0, 2), dtype=np.int32)),
        case(cube),
        case(np.asfortranarray(cube)),
        case(np.asfortranarray(cube.astype(">i2"))),
        case(np.asfortranarray(cube[:, :1, :])),
        case(cube[:, 0, :].T),
        case(np.asfortranarray(np.arange(60).reshape(1, 5, 3, 1, 4))),
        case(cube, version=(1, 0)),
        case(cube, version=(2, 0)),
        case(cube, version=(3, 0)),
        case(np.arange(2, dtype=np.int32).reshape((1,) * 31 + (2,))),
    ]


def refused():
    """What NumPy writes and this library does not read."""
    record = np.dtype([("a", "<i4"), ("é", "<f8", (2,))])
    return {
        "complex": text(npy(np.array([1 + 2j]))),
        "text": text(npy(np.array(["ab", "c"]))),
        "bytes": text(npy(np.array([b"ab", b"c"]))),
        "dates": text(npy(np.array(["2020-01-01"], dtype="datetime64[D]"))),
        "objects": text(npy(np.array([{"a": 1}, None], dtype=object))),
        "records": text(npy(np.zeros(2, dtype=record))),
        "long double": text(npy(np.zeros(2, dtype=np.longdouble))),
        "integers past float64": text(npy(np.array([2**53, 2**53 + 1]))),
    }


def npz():
    arrays = {
        "w": np.arange(6, dtype=np.float32).reshape(2, 3) / 8,
        "b": np.array([-1, 2**31 - 1], dtype=np.int32),
        "layer 1/é": np.asfortranarray(np.eye(3)),
        "empty": np.zeros((0, 4)),
        "zeros": np.zeros((10, 10), dtype=np.float32),
    }
    stored, packed, streamed, foreign = (io.BytesIO() for _ in range(4))
    np.savez(stored, **arrays)
    np.savez_compressed(packed, **arrays)
    with zipfile.ZipFile(Unseekable(streamed), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", npy(arrays["w"]))
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("w.npy", npy(arrays["w"]))
        archive.writestr("notes.txt", "not an array")
    files = {"stored": stored, "packed": packed, "streamed": streamed, "foreign": foreign}
    return {
        **{name: text(file.getvalue()) for name, file in files.items()},
        "arrays": {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in arrays.items()},
    }


class Unseekable:
    """So that zipfile puts sizes and CRCs after the data, as it must where it cannot go back."""

    def __init__(self, file):
        self.write, self.flush = file.write, file.flush


def written():
    """The bytes that numpy.save itself writes."""
    arrays = {
        "float32": np.arange(6, dtype=np.float32).reshape(2, 3) / 8,
        "float64": np.array(np.pi),
        "int32": np.array([-1, 2**31 - 1], dtype=np.int32),
        "empty": np.zeros((0, 4), dtype=np.float32),
        "long": np.arange(1234, dtype=np.float32),
        "many axes": np.zeros((1,) * 32, dtype=np.float32),
    }
    return {name: text(npy(array)) for name, array in arrays.items()}


def idx(code, array):
    shape = b"".join(struct.pack(">I", length) for length in array.shape)
    return struct.pack(">BBBB", 0, 0, code, array.ndim) + shape + array.tobytes()


def idx_files():
    codes = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
    edges = {
        0x08: [0, 7, 255, 1],
        0x09: [-128, 127, 0, 1],
        0x0B: [-32768, 32767, 0, 1],
        0x0C: [-(2**31), 2**31 - 1, 0, 1],
        0x0D: [np.pi, -1e-40, 3e38, -0.0],
        0x0E: [np.pi, -1e-310, 1e308, -0.0],
    }
    cases = []
    for code, dtype in codes.items():
        array = np.array(edges[code], dtype=dtype).reshape(2, 2)
        kind = {"u": "uint", "i": "int", "f": "float"}[array.dtype.kind] + str(8 * array.itemsize)
        values = [repr(number) for number in array.ravel().tolist()]
        cases.append({"file": text(idx(code, array)), "dtype": kind, "shape": [2, 2], "values": values})
    r = np.random.RandomState(3)
    images = r.randint(0, 256, (5, 4, 3)).astype(np.uint8)
    labels = np.array([3, 0, 9, 1, 3], dtype=np.uint8)
    zip_ = lambda data: gzip.compress(data, mtime=0)
    return {
        "cases": cases,
        "images": text(idx(8, images)),
        "labels": text(idx(8, labels)),
        "imagesPacked": text(zip_(idx(8, images))),
        "labelsPacked": text(zip_(idx(8, labels))),
        "bomb": text(zip_(idx(8, images) + bytes(10_000_000))),
        "pixels": images.ravel().tolist(),
    }


golden = {
    "npy": {"numbers": numbers(), "layouts": layouts(), "refused": refused(), "written": written()},
    "npz": npz(),
    "idx": idx_files(),
}
Path(__file__).with_name("files.json").write_text(json.dumps(golden, indent=1) + "\n")
