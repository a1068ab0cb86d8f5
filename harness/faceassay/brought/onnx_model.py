"""Own the reading of ONNX files: stale inputs dropped, the batch axis made free, the output chosen, a session made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from faceassay.brought.network import NetworkRecognizer, embeddings_of, naming, recognizer_of
from faceassay.brought.preprocessing import Preprocessing
from faceassay.contracts import DataError, FaceassayError, FloatArray

FALLBACK_SIZE = 112
"""Side of the images in pixels where neither the file nor the user says it."""
RUNTIME_FAULTS = "onnxruntime.capi.onnxruntime_pybind11_state"
"""Where onnxruntime keeps the classes of its errors, which have none in common."""
INPUT_TYPES = ("FLOAT", "FLOAT16")


def load(
    path: Path,
    preprocessing: Preprocessing,
    *,
    image_size: int | None = None,
    output: str | None = None,
    device: str = "cpu",
    threads: int = 2,
) -> NetworkRecognizer:
    """Open an ONNX network as a recognizer.

    Inputs that no node reads, and weights listed as inputs, are dropped: files in the wild are full of them (SFace
    lists 29), and onnxruntime demands them all. A fixed batch size is lifted where the network allows it.

    Args:
        path: the file; weights beside it (external data) must lie in its folder.
        preprocessing: of the images.
        image_size: side in pixels; needed only where the file leaves it open, 112 if not given.
        output: name of the embedding, where the network has several outputs that could be it.
        device: ``cuda`` or ``cuda:1`` is used where onnxruntime offers it; the CPU otherwise.
        threads: CPU threads.

    Raises:
        FaceassayError: when onnx or onnxruntime is not installed.
        DataError: when the file is damaged or is no network of one image to one embedding (names the file).
    """
    with naming(path):
        model = _whole_model(path)
        source = _only_input(model, image_size)
        session = _session(model, device, threads)
        network = _OnnxNetwork(session, source, _output_name(session, source, output))
        return recognizer_of(network, preprocessing, source.image_size)


def external_files(path: Path) -> list[str]:
    """Return the files, relative to the folder of ``path``, in which an ONNX file keeps weights; sorted.

    Raises:
        FaceassayError: when onnx is not installed.
        DataError: when the file is damaged, or names a place outside its folder (names the file).
    """
    with naming(path):
        model, external = _parsed(path), required("onnx.external_data_helper")
        tensors = [tensor for tensor in _tensors(model) if external.uses_external_data(tensor)]
        files = sorted({external.ExternalDataInfo(tensor).location for tensor in tensors})
        folder = path.parent.resolve()
        outside = [file for file in files if not (folder / file).resolve().is_relative_to(folder)]
        if outside:
            raise DataError(f"it keeps weights outside its own folder ({', '.join(outside)}): move them beside it")
    return files


def required(name: str) -> Any:
    """Return a module of the extra ``onnx``.

    Raises:
        FaceassayError: when it is not installed, with the command that installs it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = name.partition(".")[0]
        raise FaceassayError(f"ONNX files need the package {missing}: pip install 'faceassay[onnx]'") from error


@dataclass(frozen=True)
class _Input:
    """What the network reads: ``channels_last`` for [B, S, S, 3]."""

    name: str
    channels_last: bool
    half: bool
    image_size: int

    def of(self, x: FloatArray) -> dict[str, Any]:
        laid_out = x.transpose(0, 2, 3, 1) if self.channels_last else x
        return {self.name: np.ascontiguousarray(laid_out, dtype=np.float16 if self.half else np.float32)}


@dataclass(frozen=True)
class _OnnxNetwork:
    session: Any
    source: _Input
    output: str

    def __call__(self, x: FloatArray) -> FloatArray:
        (embedded,) = _computed(self.session, self.source, [self.output], x)
        return embeddings_of(embedded, len(x))


def _computed(session: Any, source: _Input, outputs: Sequence[str], x: FloatArray) -> list[Any]:
    try:
        computed: list[Any] = session.run(outputs, source.of(x))
    except _raised_by(RUNTIME_FAULTS) as error:
        batch = f"{len(x)} images" if len(x) > 1 else "one image"
        raise DataError(f"the network fails on {batch} of {x.shape[-1]} px ({_first_line(error)})") from error
    return computed


def _parsed(path: Path) -> Any:
    onnx = required("onnx")
    try:
        return onnx.load(path, load_external_data=False)
    except _raised_by("google.protobuf.message") as error:
        raise DataError(f"it is no readable ONNX file ({_first_line(error)}): export it again") from error


def _whole_model(path: Path) -> Any:
    """Return the model with its external weights; onnx itself refuses places outside the folder, and links."""
    onnx = required("onnx")
    model = _parsed(path)
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise DataError(f"its weights in other files cannot be read ({_first_line(error)})") from error
    left = {tensor.name for tensor in _tensors(model) if onnx.external_data_helper.uses_external_data(tensor)}
    if left:  # onnxruntime would look for them in whatever folder the process is in
        raise DataError(
            f"it keeps weights where they cannot be read from ({', '.join(sorted(left))}): save it as one file"
        )
    return model


def _only_input(model: Any, image_size: int | None) -> _Input:
    """Leave the model with its one real input, of a free batch size, and describe that."""
    graph = model.graph
    read, weights = set(_names_read(graph)), {tensor.name for tensor in graph.initializer}
    real = [value for value in graph.input if value.name in read - weights]
    if len(real) != 1:
        raise DataError(f"the network has {len(real)} inputs ({_listed(real)}): it must have one, the image")
    source = _described(real[0], image_size)
    real[0].type.tensor_type.shape.dim[0].dim_param = "images"
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    del graph.input[:], graph.value_info[:]
    graph.input.extend(real)
    return source


def _graphs(graph: Any) -> Iterator[Any]:
    """Yield ``graph`` and every graph inside it (the branches of If, the body of Loop)."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _graphs(inner)


def _names_read(graph: Any) -> Iterator[str]:
    for inner in _graphs(graph):
        yield from (value.name for value in inner.output)
        for node in inner.node:
            yield from node.input


def _tensors(message: Any) -> Iterator[Any]:
    """Yield every tensor inside a protobuf message, wherever it is: in graphs, functions, sparse tensors."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(inner)


def _described(value: Any, image_size: int | None) -> _Input:
    tensor = value.type.tensor_type
    shape = [dimension.dim_value for dimension in tensor.shape.dim]  # 0 for a free axis
    element = required("onnx").TensorProto.DataType.Name(tensor.elem_type)
    channels_last = len(shape) == 4 and shape[1] != 3 and shape[3] == 3
    if len(shape) != 4 or not (channels_last or shape[1] in (0, 3)):
        raise DataError(f"the network's input is {_listed([value])}: it must be [B, 3, S, S] or [B, S, S, 3]")
    if element not in INPUT_TYPES:
        raise DataError(f"the network's input {_listed([value])} is {element}: it must be {' or '.join(INPUT_TYPES)}")
    sides = shape[1:3] if channels_last else shape[2:4]
    return _Input(value.name, channels_last, element == "FLOAT16", _side({*sides} - {0}, image_size))


def _side(fixed: set[int], wanted: int | None) -> int:
    """Return the side of the images from the file's ``fixed`` sizes and the one that the user gave."""
    sides = fixed | ({wanted} if wanted else set())
    if len(sides) > 1:
        raise DataError(
            f"the network takes images of {' x '.join(map(str, sorted(fixed)))} px"
            + (f", not the image_size {wanted}" if wanted else ", which are not square")
        )
    return next(iter(sides), FALLBACK_SIZE)


def _session(model: Any, device: str, threads: int) -> Any:
    runtime = required("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # a batch that is tried and fails is no news
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning slows a busy machine 2 to 3 x
    try:
        return runtime.InferenceSession(_serialised(model), options, providers=_providers(runtime, device))
    except _raised_by(RUNTIME_FAULTS) as error:
        raise DataError(f"onnxruntime cannot run it ({_first_line(error)}): export it again") from error


def _serialised(model: Any) -> bytes:
    try:
        content: bytes = model.SerializeToString()
    except _raised_by("google.protobuf.message") as error:
        raise DataError(
            "with its weights it is larger than 2 GiB, the most ONNX holds: export it in float16"
        ) from error
    return content


def _providers(runtime: Any, device: str) -> list[Any]:
    cuda, cpu = "CUDAExecutionProvider", "CPUExecutionProvider"
    if not (device.startswith("cuda") and cuda in runtime.get_available_providers()):
        return [cpu]
    exact = {"use_tf32": "0", "cudnn_conv_algo_search": "DEFAULT"}  # a search by timing would change the bytes
    return [(cuda, {"device_id": device.partition(":")[2] or "0", **exact}), cpu]


def _output_name(session: Any, source: _Input, wanted: str | None) -> str:
    """Return the output that is the embedding: the one named, the only one, or the only one of shape [B, 2 or more]."""
    names: list[str] = [value.name for value in session.get_outputs()]
    if wanted is not None and wanted not in names:
        raise DataError(f"the network has no output {wanted!r}: set output to one of {', '.join(names)}")
    if wanted is not None or len(names) == 1:
        return wanted or names[0]
    blank = np.zeros((1, 3, source.image_size, source.image_size), np.float32)
    shapes = dict(zip(names, map(np.shape, _computed(session, source, names, blank)), strict=True))
    candidates = [name for name, shape in shapes.items() if len(shape) == 2 and shape[1] > 1]
    if len(candidates) != 1:
        listed = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise DataError(f"the network has {len(names)} outputs ({listed}): set output to the name of the embedding")
    return candidates[0]


def _raised_by(module: str) -> tuple[type[Exception], ...]:
    """Return the error classes that ``module`` holds, and those that Python adds at a bad file or value."""
    own = [one for one in vars(required(module)).values() if isinstance(one, type) and issubclass(one, Exception)]
    return (OSError, ValueError, *own)


def _listed(values: Iterable[Any]) -> str:
    """Return names and shapes of a graph's inputs."""
    return ", ".join(f"{value.name} {_shape(value)}" for value in values) or "none"


def _shape(value: Any) -> list[str | int]:
    return [one.dim_value or one.dim_param or "?" for one in value.type.tensor_type.shape.dim]


def _first_line(error: Exception) -> str:
    return " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
