"""Own the fit of a generic face to five landmarks under perspective: landmarks to angles. Detects nothing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FACE: Floats = np.array(
    [
        [-31.5, -38.0, 28.0],  # the eye on the left of a frontal image
        [+31.5, -38.0, 28.0],
        [0.0, 0.0, 0.0],  # the tip of the nose
        [-26.0, 27.0, 26.0],  # the corner of the mouth on the left
        [+26.0, 27.0, 26.0],
    ]
)
"""A generic frontal face in mm, [5, 3]: x to the right of the image, y down, z away from the camera.

Adult means, rounded: 63 mm between the pupils (Dodgson, Variation and extrema of human interpupillary distance, 2004),
52 mm between the corners of the mouth, 65 mm from the pupils down to the mouth, a nose that stands out by 20 mm from
the lip below it (Farkas, Anthropometry of the Head and Face, 1994), from which pupils and corners of the mouth lie back
by another 6 to 8 mm. The height of the tip of the nose is where YuNet puts it on the mean of the photographs of LFW, so
that a usual portrait has a pitch near 0.
"""
FOCAL = 5.0
"""Focal length in sides of the image: an aligned crop shows about 0.2 m, so this is a camera 1 m away."""
STEPS = 30
SETTLED = 1e-7
"""Radians: a fit whose last turn is larger has failed. It settles in five to ten steps."""


def pose_of(landmarks: NDArray[np.floating], image_size: int, focal: float = FOCAL) -> Floats:
    """Return yaw, pitch and roll in degrees, float64 [B, 3], each in [-90, 90], that explain five landmarks best.

    The generic ``FACE`` is turned and moved before a camera that looks at the centre of the image, until its
    projections are nearest to the landmarks (least squares in the image). The face is turned by pitch first, then by
    yaw, then by roll in the image plane. Seen by the viewer, positive yaw turns the face to the right, positive pitch
    up, positive roll tilts it clockwise. A mirrored image has the opposite yaw and roll and the same pitch.

    Args:
        landmarks: pixels [B, 5, 2], x before y, 0 at the centre of the first pixel, in the order of ``FACE``.
        image_size: side of the square image in pixels.
        focal: focal length in sides of the image, above 0.

    Returns:
        NaN in all three where a landmark is not finite, the fit fails or an angle leaves its range.
    """
    seen = (np.asarray(landmarks, np.float64) - (image_size - 1) / 2) / (focal * image_size)
    known = np.isfinite(seen).all((1, 2))
    found = np.full((len(seen), 3), np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        found[known] = _angles(_fitted(seen[known]))
        found[~(np.abs(found) <= 90).all(1)] = np.nan
    return found


class _View(NamedTuple):
    """Say how faces are seen: turned by ``rotation`` [B, 3, 3], then moved by ``shift`` [B, 3] in mm."""

    rotation: Floats
    shift: Floats

    def stepped(self, steps: Floats) -> _View:
        """Return the view after small turns and shifts, [B, 6]."""
        return _View(_turns(steps[:, :3]) @ self.rotation, self.shift + steps[:, 3:])


def _fitted(seen: Floats) -> Floats:
    """Return the rotations [B, 3, 3] that bring the face nearest to points [B, 5, 2], NaN where the search fails."""
    view, turned = _orthographic(seen), np.full(len(seen), np.inf)
    for _ in range(STEPS):
        steps = _gauss_newton_step(view, seen)
        view, turned = view.stepped(steps), np.abs(steps[:, :3]).max(1)
        if not (turned > SETTLED).any():
            break
    settled = (turned <= SETTLED) & (view.shift[:, 2] > 0)
    return np.where(settled[:, None, None], view.rotation, np.nan)


def _gauss_newton_step(view: _View, seen: Floats) -> Floats:
    """Return the turns and shifts [B, 6] that least squares of the linearised projection asks for, NaN for none."""
    turned = FACE @ view.rotation.swapaxes(1, 2)
    places = turned + view.shift[:, None]
    depth = places[..., 2:]
    projected = places[..., :2] / depth
    across = np.broadcast_to(np.eye(2), (*projected.shape, 2))
    by_shift = np.concatenate([across, -projected[..., None]], axis=-1) / depth[..., None]
    jacobian = np.concatenate([-by_shift @ _crossing(turned), by_shift], axis=-1).reshape(len(seen), 10, 6)
    residual = (seen - projected).reshape(len(seen), 10, 1)
    usable = np.isfinite(jacobian).all((1, 2))
    steps = np.full((len(seen), 6), np.nan)
    steps[usable] = (np.linalg.pinv(jacobian[usable]) @ residual[usable])[..., 0]
    return steps


def _orthographic(seen: Floats) -> _View:
    """Return the view of scaled orthography, which needs no first guess: an affine fit, then its nearest rotation."""
    middle = FACE.mean(0)
    affine = (np.linalg.pinv(FACE - middle) @ (seen - seen.mean(1, keepdims=True))).swapaxes(1, 2)
    left, lengths, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    rotation = np.concatenate([rows, np.cross(rows[:, :1], rows[:, 1:])], axis=1)
    direction = np.concatenate([seen.mean(1), np.ones((len(seen), 1))], axis=1)
    return _View(rotation, direction / lengths.mean(1, keepdims=True) - rotation @ middle)


def _crossing(vectors: Floats) -> Floats:
    """Return the matrices [..., 3, 3] of the cross products with vectors [..., 3]."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*vectors.shape, 3)


def _turns(vectors: Floats) -> Floats:
    """Return the rotations [B, 3, 3] about vectors [B, 3] by their lengths in radians (Rodrigues)."""
    angle = np.linalg.norm(vectors, axis=-1)[:, None, None]
    cross = _crossing(vectors)
    sine, cosine = np.sinc(angle / np.pi), np.sinc(angle / (2 * np.pi)) ** 2 / 2
    turns: Floats = np.eye(3) + sine * cross + cosine * cross @ cross
    return turns


def _angles(rotation: Floats) -> Floats:
    """Return yaw, pitch, roll in degrees, [B, 3], of rotation = Rz(roll) Ry(-yaw) Rx(-pitch)."""
    yaw = np.arcsin(np.clip(rotation[:, 2, 0], -1, 1))
    pitch = np.arctan2(-rotation[:, 2, 1], rotation[:, 2, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    angles: Floats = np.degrees(np.stack([yaw, pitch, roll], axis=1))
    return angles
