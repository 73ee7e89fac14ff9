"""What the kernel tells of the machine in files, under a root that a test replaces."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """The files under `root`, and the CPUs that this process may use."""

    root: Path = Path("/")
    cpus: tuple[int, ...] = field(default_factory=lambda: tuple(sorted(os.sched_getaffinity(0))))
    total_cpus: int = field(default_factory=lambda: os.cpu_count() or 1)

    def read(self, path: str) -> str | None:
        """A file's text without surrounding blanks; None where it is not there or may not be read."""
        try:
            return (self.root / path.lstrip("/")).read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None

    def exists(self, path: str) -> bool:
        return (self.root / path.lstrip("/")).exists()

    def per_cpu(self, name: str) -> list[str]:
        """What `/sys/devices/system/cpu/cpu*/<name>` holds for the CPUs we may use, those without it left out."""
        texts = (self.read(f"/sys/devices/system/cpu/cpu{cpu}/{name}") for cpu in self.cpus)
        return [text for text in texts if text is not None]
