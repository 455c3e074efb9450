"""A Compose file: one service with the engine's own image, its devices, a health check and a volume for downloads."""

from typing import Any

import yaml

from llmmigrate.errors import ServingError
from llmmigrate.serving.exports import Deployment

INSIDE = "0.0.0.0"
"""Inside the container; what of it can be reached from where is said by `ports`."""
CACHE = "/root/.cache/huggingface"
_ASCEND_DRIVER = "/usr/local/Ascend/driver"
_ASCEND = ("/dev/davinci_manager", "/dev/devmm_svm", "/dev/hisi_hdc")


def files(deployment: Deployment) -> dict[str, str]:
    """`compose.yaml`. ServingError for a platform without an image."""
    if deployment.image is None:
        raise ServingError(
            f"nobody publishes an image of {deployment.program.rpartition('/')[2]} for {deployment.platform}",
            fix="write --export systemd",
            code="no_image",
        )
    document = {
        "services": {deployment.name.replace(".", "-"): _service(deployment)},
        "volumes": {"huggingface": {}},
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    return {"compose.yaml": f"# {deployment.header}\n{text}"}


def _service(deployment: Deployment) -> dict[str, Any]:
    service: dict[str, Any] = {
        "image": deployment.image,
        "entrypoint": [deployment.program.rpartition("/")[2]],
        "command": [_escaped(word) for word in _inside(deployment)],
        "environment": {name: _escaped(value) for name, value in sorted(deployment.environment.items())},
        "ports": [f"{deployment.host}:{deployment.port}:{deployment.port}"],
        "volumes": [f"huggingface:{CACHE}"],
        "ipc": "host",
        "restart": "on-failure:5",
        "stop_grace_period": "30s",
        "healthcheck": _health(deployment),
    }
    if deployment.key_variable is not None:
        service["environment"][deployment.key_variable] = "${LLMMIGRATE_LOCAL_KEY:?set a key for this endpoint}"
    if deployment.folder is not None:
        service["volumes"].append(f"{deployment.folder}:{deployment.folder}:ro")
    if deployment.platform == "ascend":
        service["volumes"].append(f"{_ASCEND_DRIVER}:{_ASCEND_DRIVER}:ro")
    return service | _devices(deployment)


def _inside(deployment: Deployment) -> list[str]:
    """The arguments with the address to listen on inside the container."""
    words = list(deployment.arguments)
    words[words.index("--host") + 1] = INSIDE
    return words


def _health(deployment: Deployment) -> dict[str, Any]:
    """A look at its health with what the image has: Python, or curl in that of llama.cpp."""
    url = f"http://127.0.0.1:{deployment.port}/health"
    probe = ["python3", "-c", f"import urllib.request; urllib.request.urlopen('{url}', timeout=5)"]
    if deployment.program.endswith("llama-server"):
        probe = ["curl", "-fsS", url]
    return {"test": ["CMD", *probe], "interval": "30s", "timeout": "10s", "start_period": "60m"}


def _devices(deployment: Deployment) -> dict[str, Any]:
    """How a container gets at accelerators of this platform."""
    match deployment.platform:
        case "nvidia":
            wanted = {"driver": "nvidia", "count": deployment.count, "capabilities": ["gpu"]}
            return {"deploy": {"resources": {"reservations": {"devices": [wanted]}}}}
        case "amd":
            return {"devices": ["/dev/kfd", "/dev/dri"], "group_add": ["video"], "security_opt": ["seccomp:unconfined"]}
        case "ascend":
            cards = [f"/dev/davinci{number}" for number in range(deployment.count)]
            return {"devices": [*cards, *_ASCEND]}
    return {}


def _escaped(text: str) -> str:
    """Compose replaces what follows a dollar sign."""
    return text.replace("$", "$$")
