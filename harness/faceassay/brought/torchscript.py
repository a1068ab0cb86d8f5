"""Own the reading of TorchScript archives. A file of weights without their network is told apart, never unpickled."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceassay.brought.network import NetworkRecognizer, embeddings_of, naming, recognizer_of
from faceassay.brought.preprocessing import Preprocessing
from faceassay.contracts import DataError, FloatArray


def load(path: Path, preprocessing: Preprocessing, *, image_size: int = 112, device: str = "cpu") -> NetworkRecognizer:
    """Open a TorchScript network as a recognizer.

    The archive is read by TorchScript's own reader, which builds tensors and TorchScript modules and no other Python
    objects. Its code then runs as TorchScript, whose operators can read and write files: open what you trust.

    Args:
        path: what ``torch.jit.trace(...).save`` or ``torch.jit.script(...).save`` wrote. The network returns
            embeddings [B, d], or a tuple whose first element they are (AdaFace returns their norms behind them).
        preprocessing: of the images.
        image_size: side of the images in pixels; an archive does not tell.
        device: a torch device name.

    Raises:
        DataError: when the archive is damaged or is no network of one image to one embedding (names the file).
    """
    with naming(path):
        return recognizer_of(_TorchNetwork(_module(path, device), device), preprocessing, image_size)


def is_archive(path: Path) -> bool:
    """Tell whether ``path`` is a whole TorchScript archive; a checkpoint of ``torch.save`` is not."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _module(path: Path, device: str) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # torch's advice is for who writes such files
            return torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"it is no readable TorchScript archive ({reason}): save it again") from error


@dataclass(frozen=True)
class _TorchNetwork:
    module: Any
    device: str

    def __call__(self, x: FloatArray) -> FloatArray:
        import torch

        try:
            # Without its optimizer the first batches, which it would observe, compute as all others do.
            with torch.no_grad(), torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                output = self.module(torch.from_numpy(x).to(self.device))
        except RuntimeError as error:
            reason = str(error).strip().rpartition("\n")[2]  # TorchScript writes its own traceback first
            raise DataError(f"the network fails on {tuple(x.shape)} ({reason})") from error
        embedded = output[0] if isinstance(output, tuple) else output
        if not isinstance(embedded, torch.Tensor):
            raise DataError(
                f"the network returns {type(embedded).__name__}, not a tensor or a tuple that begins with one"
            )
        return embeddings_of(embedded.float().cpu().numpy(), len(x))
