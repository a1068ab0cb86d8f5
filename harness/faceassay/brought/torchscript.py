"""Own the reading of TorchScript archives. A file of weights without their network is told apart, never unpickled."""

from __future__ import annotations

import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceassay.brought.network import NetworkRecognizer, embeddings_of, naming, recognizer_of
from faceassay.brought.preprocessing import Preprocessing, prepared_tensor
from faceassay.contracts import DataError, FaceassayError, FloatArray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class TorchRecognizer(NetworkRecognizer):
    """Serve a brought network that gradients pass through to the image.

    Attributes:
        module: the network itself; none of its weights takes a gradient.
        singly: whether it takes one image at a time only.
    """

    module: _TorchNetwork
    singly: bool

    def features(self, x: Tensor) -> Tensor:
        """Return raw embeddings [B, d] of images ``x`` [B, 3, S, S] in [-1, 1], as ``embed`` does of grey levels.

        Raises:
            FaceassayError: when the images have another size than the network.
            DataError: when the network fails on them.
        """
        import torch

        if x.shape[1:] != (3, self.image_size, self.image_size):
            side = self.image_size
            raise FaceassayError(f"images {tuple(x.shape)} do not fit a recognizer of [B, 3, {side}, {side}]")
        ready = prepared_tensor(x, self.preprocessing)
        batches = ready[:, None] if self.singly else [ready]
        return torch.cat([self.module.embedding(batch).flatten(1) for batch in batches])


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

    Returns:
        The recognizer; a ``TorchRecognizer`` where gradients pass through the network, as they do but for networks that
        were made to compute without any, or in integers.

    Raises:
        DataError: when the archive is damaged or is no network of one image to one embedding (names the file).
    """
    with naming(path):
        network = _TorchNetwork(_module(path, device), device)
        recognizer = recognizer_of(network, preprocessing, image_size)
        if not network.is_differentiable(image_size):
            return recognizer
        singly = recognizer.network is not network
        return TorchRecognizer(recognizer.network, preprocessing, image_size, network, singly)


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
            module = torch.jit.load(str(path), map_location=device).eval()  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"it is no readable TorchScript archive ({reason}): save it again") from error
    for weight in module.parameters():
        weight.requires_grad_(False)
    return module


@dataclass(frozen=True)
class _TorchNetwork:
    module: Any
    device: str

    def __call__(self, x: FloatArray) -> FloatArray:
        import torch

        with torch.no_grad():
            embedded = self.embedding(torch.from_numpy(x).to(self.device))
        return embeddings_of(embedded.cpu().numpy(), len(x))

    def embedding(self, x: Tensor) -> Tensor:
        """Return what the network makes of prepared images."""
        import torch

        try:
            # Without its optimizer the first batches, which it would observe, compute as all others do.
            with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
                output = self.module(x)
        except RuntimeError as error:
            reason = str(error).strip().rpartition("\n")[2]  # TorchScript writes its own traceback first
            raise DataError(f"the network fails on {tuple(x.shape)} ({reason})") from error
        embedded = output[0] if isinstance(output, tuple) else output
        if not isinstance(embedded, torch.Tensor):
            raise DataError(
                f"the network returns {type(embedded).__name__}, not a tensor or a tuple that begins with one"
            )
        return embedded.to(x.dtype)

    def is_differentiable(self, image_size: int) -> bool:
        """Tell whether a gradient reaches the image."""
        import torch

        x = torch.zeros(1, 3, image_size, image_size, device=self.device, requires_grad=True)
        with torch.enable_grad():
            return self.embedding(x).requires_grad
