"""Common random numbers: every block of base normals has a generator of its own, named in words.

Adding, dropping or re-adding one block leaves the numbers of all others in place, so that two runs differ only by
what was changed and not by the dice.
"""

from zlib import crc32

import numpy as np
import numpy.typing as npt

type Floats = npt.NDArray[np.float64]
