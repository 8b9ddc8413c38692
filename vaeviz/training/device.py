"""Where the arithmetic is done."""

import torch


def resolve_device(name: str) -> torch.device:
    """Return the torch device of that name; "auto" takes CUDA if there, else MPS, else the CPU.

    Raises
    ------
    ValueError
        If there is no such device on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device={name!r}: must be 'auto' or one of {', '.join(available_devices())}") from None
    if device.type not in available_devices() or (device.index or 0) >= _count(device.type):
        raise ValueError(f"device={name!r}: this machine has only {', '.join(available_devices())}; take one of them")
    return device


def available_devices() -> tuple[str, ...]:
    """Return the kinds of device that this machine has, the CPU last."""
    found = (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
    return (*(name for name, there in found if there), "cpu")


def computes_bf16(device: torch.device) -> bool:
    """Whether a device multiplies in bf16 by itself, and does not emulate it, which is slower than float32."""
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        try:
            return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        except AttributeError:  # a torch without oneDNN
            return False
    return True


def check_precision(precision: str, device: torch.device) -> None:
    """Refuse bf16 where it is not.

    Raises
    ------
    ValueError
    """
    if precision == "bf16" and not computes_bf16(device):
        raise ValueError(f"precision='bf16': the {device.type} of this machine has no bf16; take precision='float32'")


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1
