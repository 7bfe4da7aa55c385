# SPDX-License-Identifier: MIT
"""How far it is, on the standard error: a bar with the time left, or plain
lines where it is no terminal."""
import shutil
import sys
import time

BAR = 24


def duration(seconds):
    seconds = int(seconds + 0.5)
    return f"{seconds // 60}:{seconds % 60:02d}"


class Progress:
    def __init__(self, points, weight, stream=None):
        self.points, self.weight = points, weight
        self.stream = stream or sys.stderr
        self.tty = self.stream.isatty()
        self.began = time.monotonic()
        self.n, self.passed = 0, 0.0
        self.text = ""

    def left(self):
        """Seconds, by how the weights of what is done came true."""
        spent = time.monotonic() - self.began
        rate = spent / self.passed if self.passed else 1
        return max(0, self.weight - self.passed) * rate

    def say(self, text):
        self.text = text
        if self.tty:
            self.draw()

    def done(self, weight):
        self.n += 1
        self.passed += weight
        if self.tty:
            self.draw()
        else:
            self.write(f"{self.n}/{self.points} {self.text}; "
                       f"{duration(self.left())} left\n")

    def draw(self):
        full = int(BAR * min(1, self.passed / self.weight)) if self.weight \
            else 0
        line = (f"[{'#' * full}{'.' * (BAR - full)}] {self.n}/{self.points} "
                f"{duration(self.left())} left  {self.text}")
        width = shutil.get_terminal_size().columns - 1
        self.write("\r" + line[:width] + "\033[K")

    def end(self):
        if self.tty:
            self.write("\r\033[K")

    def write(self, text):
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            pass                # whoever watched is gone
