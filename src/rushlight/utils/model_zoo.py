"""torch.utils.model_zoo: the older names of what torch.hub downloads."""

from __future__ import annotations

from typing import Any

from rushlight.hub import download_url_to_file, load_state_dict_from_url

__all__ = ["load_url"]

load_url = load_state_dict_from_url
_download_url_to_file = download_url_to_file


def __getattr__(name: str) -> Any:
    if name in ("tqdm", "urlparse"):
        from rushlight import hub

        return getattr(hub, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
