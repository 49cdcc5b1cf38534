"""Turn the speaker encoder's torch checkpoint into plain numpy arrays, once, so that the apps need no torch.

    python -m serving.convert_speaker pretrained.pt DEST

Runs in the engine's environment. DEST/ge2e.npz then holds the arrays of a three-layer LSTM (torch's gate order) and
of the final linear layer, float32, under torch's names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch


def main(source: str, dest: str) -> None:
    # weights_only: a checkpoint is a pickle; this refuses anything but tensors.
    state = torch.load(source, map_location="cpu", weights_only=True)["model_state"]
    wanted = {name: value.float().numpy() for name, value in state.items() if name.startswith(("lstm.", "linear."))}
    Path(dest).mkdir(parents=True, exist_ok=True)
    np.savez(Path(dest) / "ge2e.npz", **wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
