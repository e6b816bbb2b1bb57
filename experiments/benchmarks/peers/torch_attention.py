"""PyTorch's `scaled_dot_product_attention` on arrays of a file.

`python torch_attention.py FOLDER ROUNDS` reads `inputs.npz` there (query [Q, N], keys [P, N],
values [P, M], beta), writes `outputs.npy` [Q, M] and prints a line of JSON: the best seconds of one
call in double and in single precision, and the version.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch


def main(folder: Path, rounds: int) -> None:
    """Both precisions; the single one is written."""
    torch.set_grad_enabled(False)
    inputs = np.load(folder / "inputs.npz")
    seconds, output = {}, torch.empty(0)
    for dtype in (torch.float64, torch.float32):
        query, keys, values = (
            torch.tensor(inputs[name], dtype=dtype)[None] for name in ("query", "keys", "values")
        )
        best = float("inf")
        for _ in range(rounds + 1):
            start = time.perf_counter()
            output = torch.nn.functional.scaled_dot_product_attention(
                query, keys, values, scale=float(inputs["beta"])
            )
            best = min(best, time.perf_counter() - start)
        seconds[str(dtype).removeprefix("torch.")] = best
    np.save(folder / "outputs.npy", output[0].numpy())
    print(json.dumps({"seconds": seconds, "version": torch.__version__}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
