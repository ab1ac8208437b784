"""A camera of this machine as a source of pictures, at the times at which they arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator

from auglift.errors import DeviceError
from auglift.storage.frames import Frame, SourceInfo


class Webcam:
    """Camera number `index`; `frames` gives its pictures until it is closed or gone."""

    def __init__(self, index: int) -> None:
        import cv2

        self._capture = cv2.VideoCapture(index)
        if not self._capture.isOpened():
            raise DeviceError(
                f"there is no camera {index}", hint="cameras are counted from 0; is it in use?"
            )
        width = int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.info = SourceInfo(
            wh=(width, height), fps=fps if fps > 0 else None, n_frames=None, duration_s=None
        )

    def frames(self) -> Iterator[Frame]:
        """RGB pictures; the first is at 0 s."""
        import cv2
        import numpy as np

        start_s, i_frame = time.monotonic(), 0
        try:
            while True:
                is_there, bgr = self._capture.read()
                if not is_there:
                    return
                picture = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
                yield Frame(i_frame, time.monotonic() - start_s, picture)
                i_frame += 1
        finally:
            self._capture.release()
