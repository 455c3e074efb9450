"""Whether a checkpoint's download has room, and how much of it is there already."""

import os
import shutil
from pathlib import Path

from llmmigrate.errors import ServingError
from llmmigrate.serving.catalogue import Checkpoint


def cache_folder() -> Path:
    """Where Hugging Face keeps downloads: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else in the user's cache."""
    named = os.environ.get("HF_HUB_CACHE")
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huggingface"
    return Path(named) if named else Path(home) / "hub"


def missing_bytes(checkpoint: Checkpoint, cache: Path) -> int:
    """What is still to be downloaded; 0 for a checkpoint of one's own."""
    if checkpoint.folder is not None:
        return 0
    blobs = cache / f"models--{checkpoint.repo.replace('/', '--')}" / "blobs"
    present = sum(file.stat().st_size for file in blobs.iterdir() if file.is_file()) if blobs.is_dir() else 0
    return max(0, checkpoint.size - present)


def check_room(checkpoint: Checkpoint, cache: Path) -> int:
    """Bytes still to be downloaded. ServingError when the disk has less room than that."""
    missing = missing_bytes(checkpoint, cache)
    place = next(folder for folder in (cache, *cache.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free
    if missing > free:
        raise ServingError(
            f"the download of {checkpoint.repo} does not fit on the disk",
            why=f"{_gigabytes(missing)} are missing and {place} has {_gigabytes(free)} free",
            fix="make room, or set HF_HOME to a folder on a larger disk",
            code="disk",
        )
    return missing


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
