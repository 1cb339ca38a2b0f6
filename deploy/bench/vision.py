#!/usr/bin/env python3
"""Does with OpenCV, on one thread, what `lineledger bench vision` does, on the same pictures, and times it.

    pip install -r deploy/bench/vision-requirements.txt
    deploy/bench/vision.py --folder pictures --prepare   # writes code.png, a QR code, into the folder
    deploy/bench/vision.py --folder pictures --seconds 0.3

The folder holds part.png (grey), part.jpg, part.ppm (colour), template.png and turned.png, all of one size, and
box.txt: the taught box `x y width height`. Prints one JSON object: microseconds of processor time of each call of each
step, and what the steps found, so that both programs can be seen to do the same. Exit codes: 0 done, 2 wrong use.
"""
import argparse
import hashlib
import json
import platform
import sys
import time
from pathlib import Path

import cv2
import numpy as np

TEXT = "(01)09506000134352(10)LOT-4711(21)000123456789"
MARGIN = 40
THRESHOLD = 40


def parabola(scores, x, y):
    """Place of the peak between pixels, in each direction by the parabola through three values."""
    place = []
    for before, here, after in ((scores[y, x - 1], scores[y, x], scores[y, x + 1]),
                                (scores[y - 1, x], scores[y, x], scores[y + 1, x])):
        bend = before - 2 * here + after
        place.append(0.5 * (before - after) / bend if bend else 0.0)
    return x + place[0], y + place[1]


class Work:
    def __init__(self, folder):
        self.png = np.frombuffer((folder / "part.png").read_bytes(), np.uint8)
        self.jpeg = np.frombuffer((folder / "part.jpg").read_bytes(), np.uint8)
        self.colour = cv2.imread(str(folder / "part.ppm"), cv2.IMREAD_COLOR_RGB)
        self.part = cv2.imread(str(folder / "part.png"), cv2.IMREAD_GRAYSCALE)
        self.template = cv2.imread(str(folder / "template.png"), cv2.IMREAD_GRAYSCALE)
        self.turned = cv2.imread(str(folder / "turned.png"), cv2.IMREAD_GRAYSCALE)
        self.code = cv2.imread(str(folder / "code.png"), cv2.IMREAD_GRAYSCALE)
        self.height, self.width = self.part.shape
        self.box = [int(value) for value in (folder / "box.txt").read_text().split()]
        self.square = cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3))
        self.rotation = cv2.getRotationMatrix2D((self.width / 2, self.height / 2), 3.7, 1.01)
        # As the golden template does: what is within a pixel of the template and the threshold is no difference.
        self.lowest = cv2.subtract(cv2.erode(self.template, self.square), THRESHOLD)
        self.highest = cv2.add(cv2.dilate(self.template, self.square), THRESHOLD)
        self.qr = cv2.QRCodeDetector()
        x, y, width, height = self.box
        self.taught = [self.template[y:y + height, x:x + width]]
        while min(self.taught[-1].shape) >= 24 and len(self.taught) < 4:
            self.taught.append(cv2.resize(self.taught[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        self.views = self.turned_views(len(self.taught) - 1)

    def turned_views(self, level):
        """The template of a level, turned and scaled through the range, with a mask of what is inside."""
        small = self.taught[level]
        height, width = small.shape
        views = []
        for angle in np.linspace(-10, 10, 9):
            for scale in (0.95, 1.0, 1.05):
                matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
                inner = cv2.warpAffine(small, matrix, (width, height), flags=cv2.INTER_LINEAR,
                                       borderMode=cv2.BORDER_REPLICATE)
                views.append((-angle, scale, inner))
        return views

    def window(self, picture):
        x, y, width, height = self.box
        left, top = max(0, x - MARGIN - 8), max(0, y - MARGIN - 8)
        return left, top, picture[top:min(self.height, y + height + MARGIN + 8),
                                  left:min(self.width, x + width + MARGIN + 8)]

    def halves(self, picture, depth):
        levels = [picture]
        for _ in range(depth):
            levels.append(cv2.resize(levels[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        return levels

    def shift(self, picture):
        """Normalised cross-correlation from the coarsest level to the finest, then a parabola."""
        left, top, window = self.window(picture)
        levels = self.halves(window, len(self.taught) - 1)
        scores = cv2.matchTemplate(levels[-1], self.taught[-1], cv2.TM_CCOEFF_NORMED)
        _, _, _, (x, y) = cv2.minMaxLoc(scores)
        for level in range(len(self.taught) - 2, -1, -1):
            view, template = levels[level], self.taught[level]
            height, width = template.shape
            x0, y0 = max(0, 2 * x - 2), max(0, 2 * y - 2)
            near = view[y0:y0 + height + 4, x0:x0 + width + 4]
            scores = cv2.matchTemplate(near, template, cv2.TM_CCOEFF_NORMED)
            _, _, _, (dx, dy) = cv2.minMaxLoc(scores)
            x, y = x0 + dx, y0 + dy
        if 0 < dx < scores.shape[1] - 1 and 0 < dy < scores.shape[0] - 1:
            fine = parabola(scores, dx, dy)
            return left + x0 + fine[0] - self.box[0], top + y0 + fine[1] - self.box[1]
        return left + x - self.box[0], top + y - self.box[1]

    # The steps.

    def decode_png(self):
        return cv2.imdecode(self.png, cv2.IMREAD_GRAYSCALE).size

    def decode_jpeg(self):
        return cv2.imdecode(self.jpeg, cv2.IMREAD_GRAYSCALE).size

    def grey(self):
        return cv2.cvtColor(self.colour, cv2.COLOR_RGB2GRAY).size

    def halve(self):
        return cv2.resize(self.part, (self.width // 2, self.height // 2), interpolation=cv2.INTER_AREA).size

    def smooth(self):
        return cv2.GaussianBlur(self.part, (3, 3), 0).size

    def gradient(self):
        return cv2.spatialGradient(self.part)[0].size

    def warp(self):
        return cv2.warpAffine(self.part, self.rotation, (self.width, self.height), flags=cv2.INTER_LINEAR,
                              borderMode=cv2.BORDER_REPLICATE).size

    def difference(self):
        mask = cv2.threshold(cv2.absdiff(self.part, self.template), THRESHOLD, 1, cv2.THRESH_BINARY)[1]
        mask = cv2.dilate(cv2.erode(mask, self.square), self.square)
        return int(cv2.connectedComponentsWithStats(mask, connectivity=8)[0] - 1)

    def align(self):
        return [round(float(value), 3) for value in self.shift(self.part)]

    def align_turned(self):
        left, top, window = self.window(self.turned)
        depth = len(self.taught) - 1
        levels = self.halves(window, depth)
        best = (-1.0,)
        for angle, scale, view in self.views:
            scores = cv2.matchTemplate(levels[depth], view, cv2.TM_CCOEFF_NORMED)
            _, score, _, place = cv2.minMaxLoc(scores)
            best = max(best, (score, angle, scale, place))
        _, angle, scale, (x, y) = best
        a = scale * np.cos(np.radians(angle))
        b = scale * np.sin(np.radians(angle))
        height, width = self.taught[depth].shape
        cx, cy = (width - 1) / 2, (height - 1) / 2
        matrix = np.array([[a, -b, x + cx - a * cx + b * cy], [b, a, y + cy - b * cx - a * cy]], np.float32)
        enough = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 24, 1e-4)
        for level in range(depth - 1, -1, -1):
            matrix[:, 2] = 2 * matrix[:, 2] + 0.5
            matrix[:, 2] -= 0.5 * (matrix[:, 0] + matrix[:, 1])
            if level <= 1:
                _, matrix = cv2.findTransformECC(self.taught[level], levels[level], matrix, cv2.MOTION_AFFINE, enough)
        angle = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        cx, cy = (self.box[2] - 1) / 2, (self.box[3] - 1) / 2
        place = matrix @ np.array([cx, cy, 1])
        return [round(float(place[0]) + left - self.box[0] - cx, 3), round(float(place[1]) + top - self.box[1] - cy, 3),
                round(angle, 3)]

    def read_code(self):
        return self.qr.detectAndDecode(self.code)[0]

    def inspect(self):
        dx, dy = (int(round(value)) for value in self.shift(self.part))
        x0, y0 = max(0, -dx), max(0, -dy)
        x1, y1 = min(self.width, self.width - dx), min(self.height, self.height - dy)
        part = self.part[y0 + dy:y1 + dy, x0 + dx:x1 + dx]
        above = cv2.compare(part, self.highest[y0:y1, x0:x1], cv2.CMP_GT)
        below = cv2.compare(part, self.lowest[y0:y1, x0:x1], cv2.CMP_LT)
        stats = cv2.connectedComponentsWithStats(cv2.bitwise_or(above, below), connectivity=8)[2]
        return int((stats[1:, cv2.CC_STAT_AREA] >= 10).sum())

    def sha256(self):
        return hashlib.sha256(self.part).hexdigest()

    def verdict(self):
        self.sha256()
        return "fail" if self.inspect() else "pass"


STEPS = {
    "decode PNG": Work.decode_png, "decode JPEG": Work.decode_jpeg, "grey": Work.grey, "halve": Work.halve,
    "smooth": Work.smooth, "gradient": Work.gradient, "warp": Work.warp, "difference": Work.difference,
    "align": Work.align, "align turned": Work.align_turned, "inspect": Work.inspect, "SHA-256": Work.sha256,
    "verdict": Work.verdict, "read code": Work.read_code,
}


def measure(step, work, seconds):
    found = step(work)
    times = []
    end = time.perf_counter_ns() + int(seconds * 1e9)
    while time.perf_counter_ns() < end or len(times) < 5:
        start = time.thread_time_ns()
        step(work)
        times.append((time.thread_time_ns() - start) / 1e3)
    return {"times_us": times, "found": found if isinstance(found, str) else json.dumps(found)}


def prepare(folder):
    code = cv2.QRCodeEncoder.create().encode(TEXT)
    code = cv2.resize(code, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST)
    picture = np.full((640, 640), 200, np.uint8)
    y, x = 90, 120
    picture[y:y + code.shape[0], x:x + code.shape[1]] = np.minimum(code, 210)
    matrix = cv2.getRotationMatrix2D((320, 320), 7, 1)
    picture = cv2.warpAffine(picture, matrix, (640, 640), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cv2.imwrite(str(folder / "code.png"), picture)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", required=True, type=Path, help="where the pictures are")
    parser.add_argument("--prepare", action="store_true", help="write code.png and end")
    parser.add_argument("--seconds", type=float, default=0.3, help="time for each step")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    if args.prepare:
        prepare(args.folder)
        return 0
    work = Work(args.folder)
    result = {"steps": {name: measure(step, work, args.seconds) for name, step in STEPS.items()}}
    result["versions"] = {"python": platform.python_version(), "opencv": cv2.__version__, "numpy": np.__version__}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
