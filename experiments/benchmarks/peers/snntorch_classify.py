"""A leaky network in snnTorch, trained an epoch at a time: `python snntorch_classify.py FOLDER`.

`FOLDER/inputs.npz` holds images `x` [n, pixels] and `labels`, `test_x` and `test_labels`, the first
weights `into` and `out`, and `settings.json` the rest. Each line of standard input, `name seed`,
trains one epoch of the network of that name (`hoisted` or `unhoisted`) in batches drawn by the
seed, and a line of JSON with its seconds and mean loss comes back; `ask name` gives its accuracy on
the test set.
"""

import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import snntorch
import torch
from snntorch import surrogate


class Network(torch.nn.Module):
    """Two layers; the second integrates, and its mean potential is the answer."""

    def __init__(self, into, out, settings: dict, hoisted: bool):
        super().__init__()
        self.first = torch.nn.Linear(*into.shape)
        self.second = torch.nn.Linear(*out.shape)
        with torch.no_grad():
            self.first.weight.copy_(torch.tensor(into.T))
            self.second.weight.copy_(torch.tensor(out.T))
            self.first.bias.zero_()
            self.second.bias.zero_()
        keeps = 1 - settings["dt"] / settings["tau"]
        slope = surrogate.fast_sigmoid(slope=settings["slope"])
        self.hidden = snntorch.Leaky(
            beta=keeps, spike_grad=slope, reset_mechanism="zero", reset_delay=False
        )
        self.output = snntorch.Leaky(beta=keeps, reset_mechanism="none")
        self.steps, self.hoisted = settings["steps"], hoisted
        self.enters, self.drive = settings["dt"] / settings["tau"], settings["drive"]
        self.gain = settings["gain"]

    def current(self, x):
        """What an image gives to the first layer in a step."""
        return self.enters * (
            self.drive * torch.nn.functional.linear(x, self.first.weight) + self.first.bias
        )

    def forward(self, x):
        """Scores of a batch."""
        hidden, output = self.hidden.reset_mem(), self.output.reset_mem()
        once = self.current(x) if self.hoisted else None
        total = 0.0
        for _ in range(self.steps):
            spikes, hidden = self.hidden(self.current(x) if once is None else once, hidden)
            arrives = torch.nn.functional.linear(spikes, self.second.weight)
            _, output = self.output(arrives + self.enters * self.second.bias, output)
            total = total + output
        return self.gain * total / self.steps


def main(folder: Path) -> None:
    """Answer each line of standard input by one of JSON."""
    settings = json.loads((folder / "settings.json").read_text())
    inputs = np.load(folder / "inputs.npz")
    x, labels = torch.tensor(inputs["x"]), torch.tensor(inputs["labels"], dtype=torch.long)
    test, right = torch.tensor(inputs["test_x"]), inputs["test_labels"]
    batch = settings["batch"]
    count = len(x) // batch
    models, rules = {}, {}
    for name in ("hoisted", "unhoisted"):
        model = Network(inputs["into"], inputs["out"], settings, name == "hoisted")
        optimiser = torch.optim.Adam(model.parameters(), lr=settings["rate"])
        whole = settings["epochs"] * count

        def falls(step, whole=whole):
            return 0.5 * (1 + math.cos(math.pi * min(step / whole, 1.0)))

        models[name] = model
        rules[name] = optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, falls)
    print(json.dumps({"torch": torch.__version__, "snntorch": snntorch.__version__}), flush=True)
    for line in sys.stdin:
        first, second = line.split()
        if first == "ask":
            with torch.no_grad():
                output = torch.cat([models[second](part) for part in test.split(1000)])
            share = float((output.argmax(1).numpy() == right).mean())
            print(json.dumps({"accuracy": share}), flush=True)
            continue
        model, (optimiser, schedule) = models[first], rules[first]
        began, losses = time.perf_counter(), []
        order = np.random.default_rng(int(second)).permutation(len(x))[: count * batch]
        for chosen in torch.tensor(order.reshape(count, batch)):
            loss = torch.nn.functional.cross_entropy(model(x[chosen]), labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.detach())
        mean = float(torch.stack(losses).mean())
        print(json.dumps({"seconds": time.perf_counter() - began, "loss": mean}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
