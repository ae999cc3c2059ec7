"""MaskCycleGAN-VC's generator. Kaneko et al. 2021, arXiv:2102.12841, section 3.

CycleGAN-VC2's 2-1-2D network with the mask as a second input plane, and nothing else: the gain
comes from training it to fill in the frames that the mask hides (the objective draws the mask). Its
discriminators are CycleGAN-VC2's `PatchDiscriminator`. At 80 channels it has 16,459,073 parameters,
9,600 more than CycleGAN-VC2's: the second plane's 5x15 kernels. The paper says 16 M for both.
"""

import torch
from torch import Tensor

from voiceconv.models.base import Generator
from voiceconv.models.cyclegan_vc2 import Generator212
from voiceconv.schema import Count, Some


class MaskedGenerator(Generator):
    """Converts the frames that the mask shows, and fills in the frames that it hides.

    Args:
        n_channels: C of the frames, divisible by 4.
        base_channels: filters of the first layer, the paper's 128; all other widths follow.
        n_residual_blocks: the paper's 6.
    """

    frame_multiple = Generator212.frame_multiple

    def __init__(
        self, n_channels: int, base_channels: Count = 128, n_residual_blocks: Some = 6
    ) -> None:
        super().__init__()
        self.trunk = Generator212(n_channels, base_channels, n_residual_blocks, n_planes=2)

    def forward(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Frames (B, C, T) and mask (B, 1 or C, T), 1 shown, 0 hidden -> (B, C, T).

        Without a mask, as in conversion, all frames are shown.
        """
        mask = torch.ones_like(frames) if mask is None else mask.to(frames.dtype).expand_as(frames)
        return self.trunk.transform(
            torch.stack((frames * mask, mask), dim=1)
        )  # planes (B, 2, C, T)
