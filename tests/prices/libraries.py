"""Price libraries made up for tests: the same models as a wheel's code and as JSON."""

import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

Model = dict[str, Any]


def model(name: str, price: str | float = "2", output: str | float = "8", **more: Any) -> Model:
    """A model as genai-prices' JSON has it."""
    prices = {"input_mtok": float(price), "output_mtok": float(output)}
    return {"id": name, "match": {"equals": name}, "prices": prices, **more}


def genai_json(path: Path, **providers: list[Model]) -> Path:
    """A file as genai-prices' `data.json`; an underscore in a provider's name is a hyphen."""
    listed = [
        {"id": name.replace("_", "-"), "pricing_urls": [], "models": models} for name, models in providers.items()
    ]
    path.write_text(json.dumps(listed), encoding="utf-8")
    return path


def genai_wheel(folder: Path, version: str, **providers: list[Model]) -> Path:
    """A wheel as genai-prices', with its data as code."""
    listed = [
        f"Provider(id={name.replace('_', '-')!r}, pricing_urls=[], models=[{', '.join(map(_model_code, models))}])"
        for name, models in providers.items()
    ]
    code = f"from .types import *\n\nproviders: list[Provider] = [{', '.join(listed)}]\n"
    return wheel(folder, "genai_prices", version, {"genai_prices/data.py": code})


def litellm_wheel(folder: Path, version: str, models: dict[str, Model]) -> Path:
    """A wheel as litellm's."""
    name = "litellm/model_prices_and_context_window_backup.json"
    return wheel(folder, "litellm", version, {name: json.dumps({"sample_spec": {"mode": "one of: …"}, **models})})


def wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """A wheel with these files."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for member, text in files.items():
            made.writestr(member, text)
        made.writestr(f"{about}/METADATA", f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n")
        made.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(f"{about}/licenses/LICENSE", "The licence of a test\n")
    return path


def _model_code(one: Model) -> str:
    price = ", ".join(f"{name}=Decimal({str(Decimal(str(rate)))!r})" for name, rate in one["prices"].items())
    return f"ModelInfo(id={one['id']!r}, match=ClauseEquals(equals={one['id']!r}), prices=ModelPrice({price}))"
