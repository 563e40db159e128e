"""The settings that mypy's Django plugin imports: the product's, on a throwaway data folder."""

import os
from pathlib import Path

# Not a temporary one: mypy ends without running exit handlers, so it would stay behind.
_data = Path(__file__).parents[2] / ".mypy_cache" / "data"
_data.mkdir(parents=True, exist_ok=True)
os.environ["MAILMUM_DATA"] = str(_data)

from mailmum.control.settings import *  # noqa: E402, F403 (read after the environment is set)
