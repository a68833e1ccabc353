"""Runs train.py of several folders one after another, as `python3 FOLDER/train.py ...` would: PyTorch takes seconds to load.

    python3 run-train.py '[["FOLDER", "--until", "47"], ...]'
"""

import json
import runpy
import sys

for folder, *options in json.loads(sys.argv[1]):
    sys.argv = [f"{folder}/train.py", *options]
    runpy.run_path(sys.argv[0], run_name="__main__")
