"""The classical parallel method: a Gaussian mixture over pairs of frames, source and target.

Stylianou et al. 1998, IEEE Trans. SAP 6(2) (mixture regression); Kain and Macon 1998, ICASSP (the
joint density); Toda et al. 2007, IEEE Trans. ASLP 15(8) (trajectories, and variances restored).
Unlike everything else here, it needs pairs: the same sentences by both domains.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture
from torch import Tensor

from voiceconv.baselines.mlpg import Frames, generate, with_deltas
from voiceconv.data.alignment import align
from voiceconv.errors import InputError
from voiceconv.models.base import DomainId, Translator

N_CLASSES = 16  # chosen on val out of 1, 8, 16, 32 and 64, with 100 pairs of 3 s
MAPPED = slice(1, 25)  # c1 to c24: only the statistics convert power and the finest detail
HEARD = slice(0, 25)  # coefficients that, with the power, determine a frame's class
EVERY = 3  # use every third aligned pair: neighbours at 5 ms are nearly equal
VARIANCE = 0.5  # limit of the restored variance in dB: more increases distortion on val

Pairs = Sequence[tuple[Tensor, Tensor]]


class JointDensity:
    """A mixture over joint frames (x, y), and so, in each class, a linear regression of y on x.

    x, y: aligned frames (N, 2X), (N, 2Y) with deltas (see with_deltas). scikit-learn fits the
    classes to the frames without deltas; their responsibilities then weight the moments with
    deltas. This takes seconds; a fit with deltas takes minutes.
    """

    def __init__(self, x: Frames, y: Frames, n_classes: int, floor: float = 1e-3) -> None:
        n_x, n_y = x.shape[1], y.shape[1]
        still = np.concatenate([x[:, : n_x // 2], y[:, : n_y // 2]], axis=1)
        mixture = GaussianMixture(
            n_classes, reg_covar=floor, tol=1e-2, max_iter=100, random_state=0
        ).fit(still)
        self._log_weights = np.log(mixture.weights_)
        self._heard = [
            multivariate_normal(mean[: n_x // 2], covariance[: n_x // 2, : n_x // 2])
            for mean, covariance in zip(mixture.means_, mixture.covariances_, strict=True)
        ]
        joint = np.concatenate([x, y], axis=1)
        self._slopes, self._offsets, self._variances = [], [], []
        for share in mixture.predict_proba(still).T:  # (N,)
            mean = np.average(joint, axis=0, weights=share)
            covariance = np.cov(joint.T, aweights=share, bias=True) + floor * np.eye(n_x + n_y)
            slope = np.linalg.solve(covariance[:n_x, :n_x], covariance[:n_x, n_x:])  # (2X, 2Y)
            explained = np.einsum("xy,xy->y", slope, covariance[:n_x, n_x:])
            self._slopes.append(slope)
            self._offsets.append(mean[n_x:] - mean[:n_x] @ slope)
            self._variances.append(covariance.diagonal()[n_x:] - explained)

    def predict(self, x: Frames) -> tuple[Frames, Frames]:
        """(T, 2X) -> mean and variance (T, 2Y) of y, given x and its most likely class.

        Toda et al. 2007, section III, with the suboptimum mixture sequence.
        """
        still = x[:, : x.shape[1] // 2]
        likelihoods = [heard.logpdf(still) for heard in self._heard]
        classes = np.argmax(self._log_weights + np.stack(likelihoods, axis=-1), axis=-1)  # (T,)
        mean, variance = (np.empty((len(x), len(self._offsets[0]))) for _ in range(2))
        for number in np.unique(classes):
            own = classes == number
            mean[own] = x[own] @ self._slopes[number] + self._offsets[number]
            variance[own] = self._variances[number]
        return mean, variance


class Regression:
    """One direction: normalised frames (T, C) of the source -> those of the target.

    Raises InputError if the pairs have fewer frames than the mixture has classes.
    """

    def __init__(self, pairs: Pairs, n_classes: int = N_CLASSES) -> None:
        sources, targets = zip(
            *((source.double().numpy(), target.double().numpy()) for source, target in pairs),
            strict=True,
        )
        x, y = [], []
        for source, target in zip(sources, targets, strict=True):
            path = align(source[:, HEARD], target[:, HEARD])[::EVERY]
            x.append(with_deltas(source[:, HEARD])[path[:, 0]])
            y.append(with_deltas(target[:, MAPPED])[path[:, 1]])
        n_frames = sum(map(len, x))
        if n_frames < n_classes:
            raise InputError(
                f"baseline:gmm has {n_classes} classes, and its pairs {n_frames} frames to learn "
                "from; extract more pairs, or take baseline:knn"
            )
        self._density = JointDensity(np.concatenate(x), np.concatenate(y), n_classes)
        smooth = np.concatenate([self._trajectory(source) for source in sources])
        spread = np.concatenate(targets)[:, MAPPED].std(0)
        self._mean = smooth.mean(0)
        self._gain = (spread / smooth.std(0)) ** VARIANCE

    def __call__(self, frames: Frames) -> Frames:
        """(T, C) -> (T, C)."""
        converted = frames.copy()
        trajectory = self._trajectory(frames)
        converted[:, MAPPED] = self._mean + self._gain * (trajectory - self._mean)
        return converted

    def _trajectory(self, frames: Frames) -> Frames:
        return generate(*self._density.predict(with_deltas(frames[:, HEARD])))


class MixtureTranslator(Translator):
    """A regression for each direction, fitted at its first use.

    pairs: source and target domain_id -> the parallel sentences, (T, C) and (U, C) each.
    """

    def __init__(self, pairs: Callable[[int, int], Pairs]) -> None:
        super().__init__()
        self._pairs = pairs
        self._regressions: dict[tuple[int, int], Regression] = {}

    def forward(
        self, frames: Tensor, source: DomainId, target: DomainId, **condition: Tensor
    ) -> Tensor:
        """See Translator."""
        pair = int(source), int(target)
        if pair not in self._regressions:
            self._regressions[pair] = Regression(self._pairs(*pair))
        convert = self._regressions[pair]
        rows = [torch.from_numpy(convert(one.T.double().numpy()).T) for one in frames]
        return torch.stack(rows).to(frames.dtype)
