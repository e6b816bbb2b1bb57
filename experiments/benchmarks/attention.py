"""Attention beside PyTorch's: `python -m experiments.benchmarks.attention --python PEER_PYTHON`.

`PEER_PYTHON` is the Python of an environment of its own with PyTorch (`pip install torch numpy`).
The same query, keys and values go to both: how far the answers are apart, in single precision,
from one another and from numpy in double precision, and the best time of a call of each.
"""

import json
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import tyro

import bpcjax as bpc

PEER = Path(__file__).parent / "peers" / "torch_attention.py"


@dataclass(frozen=True)
class Config:
    """What to ask, and which peer."""

    python: Path  # of the peer's own environment
    queries: int = 256
    memories: int = 1000
    width: int = 784
    beta: float = 0.05
    rounds: int = 20


def exact(query, keys, values, beta) -> np.ndarray:
    """Attention in double precision."""
    scores = beta * query.astype(float) @ keys.T.astype(float)
    weight = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weight @ values.astype(float) / weight.sum(axis=1, keepdims=True)


def main(config: Config) -> None:
    """Print distances and times."""
    rng = np.random.default_rng(0)
    keys, values = rng.standard_normal((2, config.memories, config.width), np.float32)
    query = keys[: config.queries] + rng.standard_normal(
        (min(config.queries, config.memories), config.width), np.float32
    )
    # From sure answers to mixtures of many memories.
    query *= np.linspace(0.02, 1.0, len(query), dtype=np.float32)[:, None]
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            Path(folder, "inputs.npz"), query=query, keys=keys, values=values, beta=config.beta
        )
        command = [str(config.python), str(PEER), folder, str(config.rounds)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        report = json.loads(done.stdout.strip().splitlines()[-1])
        theirs = np.load(Path(folder, "outputs.npy"))
    ours = jax.jit(jax.vmap(bpc.models.attention, (0, None, None, None)))
    arrays = [jnp.asarray(x) for x in (query, keys, values)]
    best = np.inf
    for _ in range(config.rounds + 1):
        start = time.perf_counter()
        output = jax.block_until_ready(ours(*arrays, jnp.float32(config.beta)))
        best = min(best, time.perf_counter() - start)
    known = exact(query, keys, values, config.beta)
    size = np.abs(known).max()
    print(f"{len(query)} queries, {config.memories} memories of {config.width}; float32")
    for name, off in (
        ("ours from torch", np.abs(output - theirs)),
        ("ours from float64", np.abs(output - known)),
        ("torch from float64", np.abs(theirs - known)),
    ):
        print(f"  largest distance of {name:18s} {off.max() / size:.1e} of the largest value")
    torch = report["seconds"]["float32"]
    print(f"  ours {1e3 * best:.2f} ms, torch {report['version']} {1e3 * torch:.2f} ms a batch")
    print(f"  ratio ours / torch {best / torch:.2f}")


if __name__ == "__main__":
    main(tyro.cli(Config))
