"""torch.utils.model_zoo: the older name of what torch.hub downloads; refused like that."""

from __future__ import annotations

from rushlight.hub import load_state_dict_from_url

__all__ = ["load_url"]

load_url = load_state_dict_from_url
