import pytest

from llmmigrate.costing.audit.targets import Target, find_target
from llmmigrate.prices import Catalog, load_catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return load_catalog(imported=False)


@pytest.fixture(scope="session")
def glm(catalog: Catalog) -> Target:
    return find_target(catalog, "zai", "glm-5")


@pytest.fixture(scope="session")
def claude(catalog: Catalog) -> Target:
    return find_target(catalog, "anthropic", "claude-opus-5")
