"""What a table of times has to say about where it was made."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_busy() -> bool:
    """Whether more than half a core was taken in the last minute."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > 0.5


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = (line.partition(":") for line in info.read_text().splitlines())
        fields = {key.strip(): value.strip() for key, _, value in reversed(list(lines))}
        if "model name" in fields:
            flags = fields.get("flags", "").split()
            widest = next((f for f in ("avx512f", "avx2", "sse4_2") if f in flags), "")
            return f"{fields['model name']} ({widest})" if widest else fields["model name"]
    return platform.processor() or platform.machine()


def describe() -> dict[str, str]:
    described = {
        "processor": _processor(),
        "cores": str(cores()),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        described["memory"] = f"{memory / 2**30:.0f} GiB"
    if hasattr(os, "getloadavg"):
        described["load before"] = f"{os.getloadavg()[0]:.1f}"
    return described
