"""Mixed precision where the device gains by it, and full precision with a word elsewhere."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

logger = logging.getLogger(__name__)

KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16}


def usable_precision(wanted: str, device: str) -> str:
    """`wanted`, or fp32 where the device cannot or would be slower; then the log says why."""
    reason = _objection(wanted, torch.device(device).type)
    if reason is None:
        return wanted
    logger.warning("precision %s is switched off: %s", wanted, reason)
    return "fp32"


def _objection(wanted: str, kind: str) -> str | None:
    if wanted == "fp32":
        return None
    if kind == "mps":
        return "MPS gains nothing by it"
    if kind == "cpu" and wanted == "fp16":
        return "processors reckon slowly in fp16"
    if kind == "cpu" and not torch.cpu._is_avx512_bf16_supported():
        return "this processor has no bf16 instructions"
    if kind == "cuda" and wanted == "bf16" and not torch.cuda.is_bf16_supported(False):
        return "this GPU has no bf16 units; fp16 works"
    return None


class Precision:
    """How the network reckons, and how its gradients reach the weights."""

    def __init__(self, kind: str, device: str) -> None:
        self.kind, self.device_type = kind, torch.device(device).type
        # Gradients in fp16 vanish unless the loss is scaled up; bf16 has the range of fp32.
        self.scaler = torch.amp.GradScaler(self.device_type, enabled=kind == "fp16")

    def reckoning(self) -> AbstractContextManager[object]:
        """The context that the network runs in."""
        if self.kind == "fp32":
            return nullcontext()
        return torch.autocast(self.device_type, KINDS[self.kind])

    def step(
        self, loss: Tensor, model: nn.Module, optimiser: torch.optim.Optimizer, clip_norm: float
    ) -> None:
        """Gradients, clipped where asked for, and one step of the optimiser."""
        optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if clip_norm > 0.0:
            self.scaler.unscale_(optimiser)
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        self.scaler.step(optimiser)
        self.scaler.update()
