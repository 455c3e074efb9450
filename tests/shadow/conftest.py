"""What the tests of the comparison share: loopback may be reached, nothing else; a folder of their own with a key."""

from pathlib import Path

import pytest
from tests.loopback import no_network
from tests.shadow.project import KEY

__all__ = ["no_network", "project"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with the keys of two providers in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "ZAI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    return tmp_path
